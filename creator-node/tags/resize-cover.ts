import { maximumBlockBytes } from '@hexachord/protocol/cids'
import sharp from 'sharp'

/** One size of a cover, ready to be stored. */
export type CoverImage = {
  readonly bytes: Uint8Array
  readonly type: 'image/jpeg'
  readonly width: number
  readonly height: number
}

/** The picture cannot be used; the message is for the artist. */
export class CoverUnusable extends Error {
  override readonly name = 'CoverUnusable'
}

/** Lists, players, full screens: side of the square in pixels. */
const sides = [150, 480, 1000] as const

/** Far above any sleeve's scan; a bomb of some kB would otherwise take gigabytes. */
const inputPixelLimit = 50_000_000
const inputByteLimit = 32 * 1024 ** 2
const timeoutSeconds = 20

/** Pictures of points; drawings and documents are programs of a kind. */
const formats: ReadonlySet<string> = new Set(['jpeg', 'png', 'webp', 'gif', 'heif', 'tiff'])

/** The second one is for pictures like noise, which would not fit into a block at the first. */
const qualities = [82, 55] as const

// Covers are rare and small; threads and memory belong to those who listen.
sharp.concurrency(1)
sharp.cache(false)

/**
 * Makes squares of a picture, smallest first, cropped round the middle and never enlarged.
 * @throws CoverUnusable when it is no picture, broken, or too large
 */
export async function resizeCover(picture: Uint8Array): Promise<CoverImage[]> {
  if (picture.length > inputByteLimit) throw new CoverUnusable('the cover is larger than 32 MB')
  try {
    const { width, height, format } = await open(picture).metadata()
    if (!formats.has(format)) throw new CoverUnusable(`a cover cannot be of type ${format}`)
    const shorter = Math.min(width, height)
    const wanted = sides.filter((side) => side <= shorter)
    const images: CoverImage[] = []
    for (const side of wanted.length > 0 ? wanted : [shorter]) images.push(await square(picture, side))
    return images
  } catch (cause) {
    if (cause instanceof CoverUnusable) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new CoverUnusable(`the cover cannot be read: ${reason.slice(0, 200)}`, { cause })
  }
}

function open(picture: Uint8Array) {
  return sharp(picture, {
    limitInputPixels: inputPixelLimit,
    failOn: 'error',
    sequentialRead: true,
    animated: false,
  })
}

async function square(picture: Uint8Array, side: number): Promise<CoverImage> {
  for (const quality of qualities) {
    const { data, info } = await open(picture)
      .timeout({ seconds: timeoutSeconds })
      .autoOrient()
      .resize(side, side, { fit: 'cover' })
      // Transparent sleeves would otherwise turn black.
      .flatten({ background: '#ffffff' })
      .jpeg({ quality, progressive: true })
      .toBuffer({ resolveWithObject: true })
    if (data.length <= maximumBlockBytes) {
      return { bytes: data, type: 'image/jpeg', width: info.width, height: info.height }
    }
  }
  throw new CoverUnusable('the cover does not fit into a block')
}
