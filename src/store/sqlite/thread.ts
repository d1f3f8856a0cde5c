// The other side of background.ts: what runs in the thread. It has a connection, plays tapes on it, and knows nothing else.
import { parentPort, workerData } from 'node:worker_threads'
import { errorText, isPawlError } from '../../base/errors.ts'
import type { Played, SentError } from './background.ts'
import { connect } from './file.ts'
import { Player, type Value } from './tape.ts'

const port = parentPort!
const db = connect(workerData as string)
const player = new Player(db)

function sent(error: unknown, stuck: boolean): SentError {
  const { errcode } = error as { errcode?: unknown }
  return {
    message: errorText(error),
    ...(isPawlError(error) && { code: error.code }),
    ...(typeof errcode === 'number' && { errcode }),
    stuck,
  }
}

function rolledBack(): boolean {
  try {
    if (db.isTransaction) db.exec('rollback')
    return true
  } catch {
    return false
  }
}

function play(values: readonly Value[]): Played {
  try {
    db.exec('begin immediate')
    player.play(values)
    db.exec('commit')
    return { kind: 'committed' }
  } catch (error) {
    return { kind: 'failed', error: sent(error, !rolledBack()) }
  }
}

port.on('message', (message: readonly Value[] | 'close') => {
  if (message !== 'close') {
    port.postMessage(play(message))
    return
  }
  db.close()
  port.close()
})
port.postMessage('ready')
