// The shop's outside world, a process of its own: warehouse, bank, courier and post behind one port.
//
//   node outside.ts --book shop.outside.db --fail 0.05 [--forget-minutes 15]
//
// Prints {"port": …} when it listens, and ends when its standard input ends: so it never outlives the shop that started it.
// What several askers want in one moment is written in one transaction, and answered after it.
//
// With `--fail 0.2` one call in five (not the post's) has trouble, of one of five kinds:
//   error  nothing is done, and the answer says so          hang   nothing is done, and no answer comes
//   lost   it is done, but the answer is lost               late   it is done, but the answer comes when nobody waits any more
//   slow   it is done only then, when somebody may have undone it already
// And a tenth as many charges are silent: the money is taken, and however often one asks, no answer ever comes.
import { createHash } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import { parseArgs } from 'node:util'
import { Book } from './book.ts'
import { lines, writer, type Ask } from './wire.ts'

const LATE_MS = 1_500
const TELL_EVERY_MS = 50
const TELL_AGAIN_MS = 2_000
const TELL_AT_ONCE = 200

const { values } = parseArgs({
  options: { book: { type: 'string' }, fail: { type: 'string', default: '0' }, 'forget-minutes': { type: 'string' } },
})
if (values.book === undefined) throw new Error('outside.ts: say where the book is: --book shop.outside.db')
const share = Number(values.fail)
const book = new Book(values.book, Date.now, Math.random)

/** What was asked in this turn, with who wants the answer: null for a call whose answer is lost. */
let gathered: { readonly asked: Ask; readonly answer: ((line: unknown) => void) | null }[] = []

const settle = (): void => {
  const turn = gathered
  gathered = []
  const answers = turn.map(({ asked }) => book.apply(asked))
  book.commit()
  turn.forEach(({ answer }, i) => answer?.(answers[i]))
}

const take = (asked: Ask, answer: ((line: unknown) => void) | null): void => {
  if (gathered.length === 0) setImmediate(settle)
  gathered.push({ asked, answer })
}

const later = (work: () => void): void => void setTimeout(work, LATE_MS * (0.8 + Math.random()))

/** The same for every attempt of a call, whoever asks and whenever. */
const isSilent = ({ act, key }: Ask): boolean =>
  act === 'bank.charge' &&
  Number.parseInt(createHash('sha256').update(key).digest('hex').slice(0, 8), 16) / 2 ** 32 < share / 10

const serve = (asked: Ask, answer: (line: unknown) => void): void => {
  if (isSilent(asked)) return take(asked, null)
  if (asked.act.startsWith('post.') || Math.random() >= share) return take(asked, answer)
  const kind = Math.floor(Math.random() * 5)
  if (kind === 0) answer({ ask: asked.ask, trouble: 'out of order' })
  else if (kind === 1) take(asked, null)
  else if (kind === 2) take(asked, (line) => later(() => answer(line)))
  else if (kind === 3) later(() => take(asked, answer))
  // The fifth hangs.
}

const clients = new Set<(line: unknown) => void>()

const welcome = (socket: Socket): void => {
  socket.setNoDelay(true).setEncoding('utf8')
  const send = writer(socket)
  clients.add(send)
  const hear = lines((line) => {
    const heard = JSON.parse(line) as Ask | { readonly told: string }
    if ('told' in heard) book.told(heard.told)
    else serve(heard, send)
  })
  socket.on('data', (chunk) => hear(String(chunk)))
  socket.on('error', () => {})
  socket.on('close', () => clients.delete(send))
}

/** Tells what has become due, to whoever is there; and again, until somebody says that they have it. */
const tell = (): void => {
  const [send] = clients
  if (send === undefined) return
  for (const { id, subject } of book.due(TELL_AT_ONCE)) {
    send({ tell: id, order: subject })
    // Whoever calls from outside may call twice.
    if (Math.random() < share) send({ tell: id, order: subject })
    book.postpone(id, TELL_AGAIN_MS)
  }
  book.commit()
}

const server = createServer(welcome)
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  console.log(JSON.stringify({ port: typeof address === 'object' ? address?.port : undefined }))
})

setInterval(tell, TELL_EVERY_MS)
if (values['forget-minutes'] !== undefined) {
  const olderMs = Number(values['forget-minutes']) * 60_000
  setInterval(() => book.forget(olderMs), 60_000)
}

// Ctrl-C reaches both processes; the shop still needs its outside while it stops.
process.on('SIGINT', () => {})
process.stdin.resume().on('end', () => {
  settle()
  book.close()
  process.exit(0)
})
