import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { cidOf, encodeDagJson, linkTo } from '../cids/index.ts'
import { blocksOf, encodeManifest, ManifestError } from '../manifests/index.ts'
import { hashBlock, storageRoot } from '../storage-root/index.ts'
import { exampleTrack } from '../vectors/index.ts'
import {
  CarError,
  type Carried,
  carFileOf,
  carHeader,
  carriedOrder,
  carSection,
  carSectionLength,
  decodeCarried,
  encodeCarried,
  openCar,
  readCarriedTrack,
} from './index.ts'

const { track, blocks } = await exampleTrack()
const carried: Carried = {
  manifest: track.cid,
  details: { title: 'Ut queant laxis', artist: 'Guido', licence: 'CC0-1.0', tags: ['hymn'] },
  origin: {
    chainId: 31_337,
    catalog: `0x${'ca'.repeat(20)}`,
    subject: `0x${'01'.repeat(20)}-7`,
    action: `0x${'ab'.repeat(32)}`,
  },
}
const carriedBytes = encodeCarried(carried)
const root = await cidOf(carriedBytes, 'dag-json')
const all = new Map([[root, carriedBytes], ...blocks])
const bytesOf = (cid: string) => all.get(cid) ?? new Uint8Array()
const order = await carriedOrder(root, async (cid) => bytesOf(cid))

function carOf(sections: readonly (readonly [string, Uint8Array])[], roots = [root]): Uint8Array {
  return joined([carHeader(roots), ...sections.flatMap(([cid, bytes]) => carSection(cid, bytes))])
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

const whole = carOf(order.map((cid) => [cid, bytesOf(cid)] as const))
const read = (bytes: Uint8Array) => readCarriedTrack(carFileOf(bytes))

async function blocksIn(chunks: readonly Uint8Array[], maximumBlocks = 1000) {
  const { roots, blocks } = await openCar(
    (async function* () {
      yield* chunks
    })(),
    { maximumBlocks },
  )
  const found = []
  for await (const block of blocks) found.push(block)
  return { roots, blocks: found }
}

describe('a CAR', () => {
  test('gives back what was written, however it is cut into chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.uint8Array({ minLength: 1, maxLength: 300 }), {
          maxLength: 8,
          selector: (bytes) => Buffer.from(bytes).toString('hex'),
        }),
        fc.array(fc.nat(200), { maxLength: 20 }),
        async (contents, cuts) => {
          const sections = await Promise.all(
            contents.map(async (bytes) => [await cidOf(bytes, 'raw'), bytes] as const),
          )
          const car = carOf(sections)
          const chunks: Uint8Array[] = []
          let at = 0
          for (const cut of cuts) {
            chunks.push(car.subarray(at, at + cut))
            at += cut
          }
          const { roots, blocks } = await blocksIn([...chunks, car.subarray(at)])
          expect(roots).toEqual([root])
          expect(blocks.map(({ cid, bytes }) => [cid, bytes])).toEqual(sections)
          for (const { bytes, offset, end } of blocks) expect(car.subarray(offset, end)).toEqual(bytes)
        },
      ),
    )
  })

  test('never yields what does not hash to its name, whatever is done to its bytes', async () => {
    const small = order.filter((cid) => bytesOf(cid).length < 2000)
    const car = carOf(small.map((cid) => [cid, bytesOf(cid)] as const))
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(car.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.nat(car.length),
        async (changes, length) => {
          const damaged = car.slice(0, length)
          for (const [at, byte] of changes) if (at < damaged.length) damaged[at] = byte
          try {
            const { blocks } = await blocksIn([damaged])
            for (const { cid, bytes } of blocks) {
              expect(await cidOf(bytes, cid.startsWith('bafkrei') ? 'raw' : 'dag-json')).toBe(cid)
            }
          } catch (error) {
            expect(error).toBeInstanceOf(CarError)
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  test('of noise is refused, and nothing worse', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        await expect(blocksIn([bytes])).rejects.toBeInstanceOf(CarError)
      }),
      { numRuns: 500 },
    )
  })

  test('says beforehand how long a section will be', () => {
    for (const length of [1, 90, 91, 92, 16_000, 16_346, 16_347, 1_048_576]) {
      const bytes = new Uint8Array(length)
      for (const cid of [root, order.find((name) => name.startsWith('bafkrei')) ?? '']) {
        const [prefix] = carSection(cid, bytes)
        expect(carSectionLength(cid, length)).toBe(prefix.length + length)
      }
    }
  })

  const header = carHeader([root])
  const tooLong = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]
  test.each<[string, Uint8Array, RegExp]>([
    ['nothing in it', new Uint8Array(), /empty/],
    ['a header of exabytes', Uint8Array.from(tooLong), /header claims more/],
    [
      'a header of a megabyte',
      joined([Uint8Array.from([0x80, 0x80, 0x40]), new Uint8Array(1 << 20)]),
      /claims more/,
    ],
    ['a header of no length', Uint8Array.from([0]), /no length/],
    ['a header that breaks off', header.subarray(0, 20), /ends within its header/],
    [
      'a page of HTML in place of a header',
      Buffer.from('<html><body>this is a page, and no CAR of music at all, by far</body></html>'),
      /CARv1/,
    ],
    ['the header of a CARv2', Buffer.from('0aa16776657273696f6e02', 'hex'), /CARv1/],
    ['a section of exabytes', joined([header, Uint8Array.from(tooLong)]), /claims more/],
    ['a section of no length', joined([header, Uint8Array.from([0])]), /no length/],
    ['a length that never ends', joined([header, Uint8Array.from([0x80, 0x80, 0x80, 0x80])]), /claims more/],
    ['a length that breaks off', joined([header, Uint8Array.from([0x80])]), /within a length/],
    ['a section that breaks off', whole.subarray(0, whole.length - 1), /cut off within the section/],
    ['a section with no CID', joined([header, Uint8Array.from([3, 1, 2, 3])]), /no CID/],
    ['a block of another kind', joined([header, foreignSection()]), /not CIDv1 of a raw or dag-json block/],
  ])('is refused with %s', async (_, bytes, message) => {
    await expect(blocksIn([bytes])).rejects.toThrow(message)
    await expect(blocksIn([bytes])).rejects.toBeInstanceOf(CarError)
  })

  test('is refused when a block has the bytes of another', async () => {
    const [first = '', second = ''] = order
    await expect(blocksIn([carOf([[first, bytesOf(second)]])])).rejects.toThrow(
      `block ${first} has other bytes`,
    )
  })

  test('is refused with a block that comes twice, or with more blocks than are wanted', async () => {
    const section = [root, carriedBytes] as const
    await expect(blocksIn([carOf([section, section])])).rejects.toThrow('comes twice')
    await expect(blocksIn([whole], 3)).rejects.toThrow('more than 3 blocks')
  })

  test('is not read ahead of what is asked for', async () => {
    let given = 0
    async function* endless() {
      yield header
      for (;;) {
        given += 1
        const bytes = new Uint8Array(Buffer.from(`block ${given}`))
        yield* carSection(await cidOf(bytes, 'raw'), bytes)
      }
    }
    const { blocks } = await openCar(endless(), { maximumBlocks: 10 })
    await blocks.next()
    await blocks.next()
    expect(given).toBeLessThanOrEqual(3)
  })
})

describe('a carried track', () => {
  test('is all of the track with what was said of it', async () => {
    const found = await read(whole)
    expect(found).toMatchObject({ root, carried, track })
    const entries = blocksOf(track).map(({ cid, byteLength }) => ({
      cid,
      byteLength,
      root: hashBlock(bytesOf(cid)).root,
    }))
    expect(found.storage).toEqual(storageRoot(entries))
    for (const { cid } of blocksOf(track)) expect(await found.block(cid)).toEqual(bytesOf(cid))
    expect(decodeCarried(carriedBytes)).toEqual(carried)
  })

  test('has its blocks in the order in which any IPFS tool walks it, the root first', () => {
    const [first, second] = order
    expect([first, second]).toEqual([root, track.cid])
    // Members of a dag-json map stand in alphabetical order: the cover before the renditions.
    const cover = track.manifest.cover?.[0]?.image['/'] ?? ''
    expect(order.indexOf(cover)).toBe(2)
    expect(new Set(order)).toEqual(new Set(all.keys()))
  })

  test('may come from a gateway, with the manifest as its root and its blocks in any order', async () => {
    const sections = [...blocks].reverse()
    const found = await read(carOf(sections, [track.cid]))
    expect(found.carried).toBeUndefined()
    expect(found.track).toEqual(track)
  })

  const sections = order.map((cid) => [cid, bytesOf(cid)] as const)
  const raw = sections.find(([cid]) => cid.startsWith('bafkrei')) ?? ['', new Uint8Array()]
  test.each<[string, Uint8Array, RegExp]>([
    ['has no root', carOf(sections, []), /0 roots/],
    ['has two', carOf(sections, [root, track.cid]), /2 roots/],
    ['has bytes as its root', carOf(sections, [raw[0]]), /names bytes/],
    ['has a root that is not in it', carOf(sections.slice(1)), /incomplete: block .* is missing/],
    ['lacks its last block', carOf(sections.slice(0, -1)), /incomplete: block .* is missing/],
    ['holds what its track does not name', carOf(sections, [track.cid]), /which its track does not name/],
  ])('is refused when it %s', async (_, bytes, message) => {
    await expect(read(bytes)).rejects.toThrow(message)
  })

  test('is refused with a root that is no track, and with an empty block', async () => {
    const bytes = encodeDagJson({ kind: 'something else' })
    const cid = await cidOf(bytes, 'dag-json')
    await expect(read(carOf([[cid, bytes]], [cid]))).rejects.toBeInstanceOf(ManifestError)
    const nothing = new Uint8Array()
    await expect(read(carOf([...sections, [await cidOf(nothing, 'raw'), nothing]]))).rejects.toThrow(
      'is empty',
    )
  })

  test('is refused when its manifest claims another length of a block', async () => {
    const cover = track.manifest.cover?.map((picture) => ({ ...picture, byteLength: picture.byteLength + 1 }))
    const bytes = encodeManifest({ ...track.manifest, ...(cover && { cover }) })
    const cid = await cidOf(bytes, 'dag-json')
    const changed = sections.filter(([name]) => name !== root && name !== track.cid)
    await expect(read(carOf([[cid, bytes], ...changed], [cid]))).rejects.toThrow(/bytes, the manifest says/)
  })

  test('is refused when details are of another form', () => {
    const details = { ...carried.details, evil: 'member' }
    expect(() => encodeCarried({ ...carried, details })).toThrow(CarError)
    const bytes = encodeDagJson({ v: 1, kind: 'carried', manifest: linkTo(track.cid) })
    expect(() => decodeCarried(bytes)).toThrow(/not a carried track: details/)
  })
})

/** A dag-pb block: fine in any CAR, but nothing that this network holds. */
function foreignSection(): Uint8Array {
  const name = Buffer.from(`01701220${'00'.repeat(32)}`, 'hex')
  return joined([Uint8Array.from([name.length + 1]), name, Uint8Array.from([0])])
}
