import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import sharp from 'sharp'
import { CoverUnusable, readTags, resizeCover } from './index.ts'

const picture = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: '#336699' } })
    .png()
    .toBuffer()

test('a title of 1 MB is cut to what an action can carry', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hexachord-tags-'))
  try {
    const file = join(folder, 'song.mp3')
    // ID3v2.3: one text frame in ISO 8859-1, then a frame of silence of MPEG-1 Layer III.
    const text = Buffer.from(`\0${'la '.repeat(350_000)}`, 'latin1')
    const frame = Buffer.alloc(10)
    frame.write('TIT2', 'latin1')
    frame.writeUInt32BE(text.length, 4)
    const size = frame.length + text.length
    const sizes = [21, 14, 7, 0].map((shift) => (size >> shift) & 0x7f)
    const head = Buffer.from([...Buffer.from('ID3', 'latin1'), 3, 0, 0, ...sizes])
    const sound = Buffer.concat([Buffer.from([0xff, 0xfb, 0x90, 0x64]), Buffer.alloc(413)])
    await writeFile(file, Buffer.concat([head, frame, text, sound, sound, sound]))
    const { tags } = await readTags(file)
    expect(tags.title).toMatch(/^la la /)
    expect(tags.title?.length).toBeLessThanOrEqual(200)
  } finally {
    await rm(folder, { recursive: true })
  }
})

describe('a cover', () => {
  test('becomes squares for lists, players and full screens', async () => {
    const images = await resizeCover(await picture(1400, 1200))
    expect(images.map(({ width, height, type }) => [width, height, type])).toEqual([
      [150, 150, 'image/jpeg'],
      [480, 480, 'image/jpeg'],
      [1000, 1000, 'image/jpeg'],
    ])
    for (const { bytes, width } of images) {
      expect((await sharp(bytes).metadata()).width).toBe(width)
      expect(bytes.length).toBeLessThanOrEqual(1 << 20)
    }
  })

  test('is never enlarged', async () => {
    expect((await resizeCover(await picture(500, 700))).map(({ width }) => width)).toEqual([150, 480])
    expect((await resizeCover(await picture(90, 100))).map(({ width }) => width)).toEqual([90])
  })

  test('of noise still fits into a block', async () => {
    const noise = await sharp({
      create: {
        width: 1000,
        height: 1000,
        channels: 3,
        background: '#000',
        noise: { type: 'gaussian', sigma: 120 },
      },
    })
      .png()
      .toBuffer()
    for (const { bytes } of await resizeCover(noise)) expect(bytes.length).toBeLessThanOrEqual(1 << 20)
  })

  test.each<[string, () => Promise<Uint8Array>]>([
    ['no picture', async () => new TextEncoder().encode('not a picture')],
    ['empty', async () => new Uint8Array()],
    ['cut short', async () => (await picture(600, 600)).subarray(0, 300)],
  ])('that is %s is refused with a reason', async (_, make) => {
    await expect(resizeCover(await make())).rejects.toBeInstanceOf(CoverUnusable)
  })

  test('that would take gigabytes when unpacked is refused', async () => {
    const bomb = await sharp({
      create: { width: 9_000, height: 9_000, channels: 3, background: '#000' },
      limitInputPixels: false,
    })
      .png({ compressionLevel: 9 })
      .toBuffer()
    expect(bomb.length).toBeLessThan(500_000)
    await expect(resizeCover(bomb)).rejects.toThrow('the cover cannot be read')
  })

  test('that is a drawing is refused', async () => {
    const drawing = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="300" height="300"/>')
    await expect(resizeCover(drawing)).rejects.toThrow('a cover cannot be of type svg')
  })
})
