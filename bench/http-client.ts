// The client of the question 'http', in a process of its own: so many connections, on each one start after another, each of which waits for
// its result. Prints what it saw as JSON. Bare sockets: a client of Node's would take as much time as what is measured.
//
//   node http-client.ts <port> <token> <connections> <warm ms> <ms>
import { connect } from 'node:net'
import { checkoutData } from './works.ts'

const [port = 0, , connections = 0, warmMs = 0, ms = 0] = process.argv.slice(2).map(Number)
const token = process.argv[3]!
const begin = performance.now()
const end = begin + warmMs + ms
const tookMs: number[] = []
let made = 0
let all = 0

function request(id: string): string {
  const body = JSON.stringify({ id, data: checkoutData(id) })
  return (
    `POST /machines/checkout/instances HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\nPrefer: wait=30\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  )
}

/** A whole answer; undefined: there is more to come. */
function answered(heard: string): string | undefined {
  const at = heard.indexOf('\r\n\r\n')
  if (at < 0) return undefined
  const length = /\r\ncontent-length: (\d+)/i.exec(heard.slice(0, at))?.[1]
  if (length === undefined) throw new Error(`an answer without its length: ${heard}`)
  return heard.length - at - 4 < Number(length) ? undefined : heard
}

const client = (): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let heard = ''
    let sentAt = 0
    const next = (): void => {
      sentAt = performance.now()
      if (sentAt < end) socket.write(request(crypto.randomUUID()))
      else {
        socket.destroy()
        resolve()
      }
    }
    const take = (text: string): void => {
      heard += text
      const answer = answered(heard)
      if (answer === undefined) return
      if (!answer.startsWith('HTTP/1.1 201') || !answer.includes('"status":"done"')) throw new Error(answer)
      heard = ''
      all++
      const now = performance.now()
      if (now >= begin + warmMs && now < end) {
        made++
        tookMs.push(now - sentAt)
      }
      next()
    }
    socket.setEncoding('latin1').on('connect', next).on('error', reject).on('data', take)
  })

await Promise.all(Array.from({ length: connections }, client))
console.log(JSON.stringify({ finished: made, all, ms, tookMs }))
