// What became of a message, as a status: 200 it was looked at, 202 it is safe, 409 refused, 412 another seq.
import { PawlError } from '../base/errors.ts'
import type { Receipt } from '../machine/types-app.ts'
import { json, problem } from './problem.ts'

/** Said of an answer that was given before, to the same message. */
const REPLAYED = { 'idempotent-replayed': 'true' }

const tagged = (seq: number | undefined): Record<string, string> => (seq === undefined ? {} : { etag: `"${seq}"` })

function refusal(receipt: Receipt, why: string, headers: Readonly<Record<string, string>>): Response {
  const { messageId, state, seq } = receipt
  const more = { why, state, seq, messageId }
  return why === 'seq'
    ? problem('SEQ_DIFFERS', `the instance is at seq ${seq} now, in "${state}": read it again`, more, headers)
    : problem('REFUSED', `it stands in "${state}", which refuses this: ${why}`, more, headers)
}

/** The answer to a message, an operator's action or a cancel. */
export function receiptResponse(receipt: Receipt): Response {
  const { outcome } = receipt
  if (outcome !== 'duplicate') return outcomeResponse(receipt, outcome, 'why' in receipt ? receipt.why : undefined, {})
  if (receipt.became === 'dead')
    throw new PawlError(receipt.why ?? 'HANDLER_FAILED', 'it came before, and became a dead letter', {
      messageId: receipt.messageId,
    })
  return outcomeResponse(receipt, receipt.became, receipt.why, REPLAYED)
}

function outcomeResponse(
  receipt: Receipt,
  outcome: string,
  why: string | undefined,
  more: Readonly<Record<string, string>>,
): Response {
  const headers = { ...more, ...tagged(receipt.seq) }
  if (outcome === 'refused') return refusal(receipt, why ?? 'if', headers)
  return json(outcome === 'applied' || outcome === 'ignored' ? 200 : 202, receipt, headers)
}
