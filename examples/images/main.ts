// npm run example images: an upload, one that cannot be converted and is stopped, and an album that tells how far it is.
import { say, show } from '../show.ts'
import { image, letter, makeAlbum, services, Stop, Uploaded } from './images.ts'

await show(services, async (app) => {
  const resize = { kind: 'resize', width: 320 } as const
  const stamp = { kind: 'watermark', text: 'kim' } as const

  say('An image is resized and stamped at once, and announced')
  await app.emit(Uploaded({ image: 'i-1', key: 'cat', owner: 'kim', ops: [resize, stamp] }))
  console.log(`  ${(await app.get(image, 'i-1').result()).files.join(', ')}`)
  await app.get(letter, 'i-1/finished').result()

  say('One of three operations fails: what was made is kept')
  const webp = { kind: 'convert', format: 'webp' } as const
  await app.emit(Uploaded({ image: 'i-2', key: 'dog', owner: 'kim', ops: [resize, webp, stamp] }))
  const { data } = await app.get(image, 'i-2').reaches('corrupt')
  console.log(`  made: ${data.files.join(', ')}; failed: ${data.reason}`)
  await app.get(letter, 'i-2/corrupt/0').result()
  await app.send(image, 'i-2', Stop({ image: 'i-2' }))

  say('An album, with a child for each operation')
  const { files } = await makeAlbum(app, 'bird', 'ann')
  console.log(`  ${files.join(', ')}`)
})
