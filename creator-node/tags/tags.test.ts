import { describe, expect, test } from '@jest/globals'
import sharp from 'sharp'
import { CoverUnusable, resizeCover } from './index.ts'

const picture = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: '#336699' } })
    .png()
    .toBuffer()

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
