import { createCipheriv, createHash } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { base58btc } from 'multiformats/bases/base58'
import { CID } from 'multiformats/cid'
import {
  CidError,
  CidMismatch,
  cidFromDigest,
  cidOf,
  cidSchema,
  dagJsonLinkSchema,
  decodeDagJson,
  digestHex,
  encodeDagJson,
  isCid,
  linkSchema,
  linksOf,
  linkTo,
  maximumBlockBytes,
  parseCid,
  rawLinkSchema,
  verifyBlock,
} from './index.ts'

const hello = new TextEncoder().encode('hello world')
const helloCid = 'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'
const emptyMapCid = 'baguqeeraiqjw7i2vwntyuekgvulpp2det2kpwt6cd7tx5ayqybqpmhfk76fa'

describe('the name of a block', () => {
  test('is the one that every IPFS program gives it', async () => {
    expect(await cidOf(hello, 'raw')).toBe(helloCid)
    expect(await cidOf(new TextEncoder().encode('{}'), 'dag-json')).toBe(emptyMapCid)
  })

  test('of a full mebibyte is the one of Kubo’s own tests (profile unixfs-v1-2025)', async () => {
    const key = createHash('sha256').update('chunk-v1-seed').digest()
    const cipher = createCipheriv('chacha20', key, Buffer.alloc(16))
    const bytes = cipher.update(Buffer.alloc(maximumBlockBytes))
    expect(await cidOf(bytes, 'raw')).toBe('bafkreiacndfy443ter6qr2tmbbdhadvxxheowwf75s6zehscklu6ezxmta')
  })

  test('comes back from its digest', () => {
    const digest = fc.uint8Array({ minLength: 32, maxLength: 32 })
    fc.assert(
      fc.property(digest, fc.constantFrom('raw' as const, 'dag-json' as const), (digest, codec) => {
        const cid = cidFromDigest(digest, codec)
        expect(parseCid(cid)).toEqual({ cid, codec, digest })
        expect(digestHex(cid)).toBe(`0x${Buffer.from(digest).toString('hex')}`)
        expect(isCid(cid)).toBe(true)
        expect(cidSchema.safeParse(cid).success).toBe(true)
      }),
    )
  })

  test.each([
    ['version 0', 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'],
    ['another base', CID.parse(helloCid).toString(base58btc)],
    ['another codec', CID.createV1(0x70, CID.parse(helloCid).multihash).toString()],
    ['another hash', 'bafkr4iazoy6nm3ys7qlovrlgzqy2rn2yxfdugwyxjjbc4xfwt2z6bpcrni'],
    ['capital letters', helloCid.toUpperCase()],
    ['a digest of two bytes', 'bafkqeaia'],
    ['a digest cut short', helloCid.slice(0, -1)],
    ['a letter too many', `${helloCid}a`],
    ['white space', ` ${helloCid}`],
    ['a path', `/ipfs/${helloCid}`],
    ['nothing', ''],
    ['far too many letters', 'b'.repeat(100_000)],
  ])('is refused with %s', (_, text) => {
    expect(() => parseCid(text)).toThrow(CidError)
    expect(isCid(text)).toBe(false)
    expect(cidSchema.safeParse(text).success).toBe(false)
  })

  test('has one spelling: no padding, and no bits left over in its last letter', () => {
    expect(isCid(`${helloCid}=`)).toBe(false)
    const letters = Array.from('abcdefghijklmnopqrstuvwxyz234567')
    const valid = letters.filter((letter) => isCid(helloCid.slice(0, -1) + letter))
    expect(valid).toEqual(['a', 'e', 'i', 'm', 'q', 'u', 'y', '4'])
  })
})

describe('a block', () => {
  test('is itself under its name, and nothing else is', async () => {
    await verifyBlock(helloCid, hello)
    await expect(verifyBlock(helloCid, new TextEncoder().encode('hello world!'))).rejects.toThrow(CidMismatch)
    await expect(verifyBlock('bafkrei', hello)).rejects.toThrow(CidError)
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 500 }), fc.nat(), async (bytes, place) => {
        const cid = await cidOf(bytes, 'raw')
        await verifyBlock(cid, bytes)
        const changed = bytes.slice()
        const index = place % bytes.length
        changed[index] = (changed[index] ?? 0) ^ (1 << (place % 8))
        await expect(verifyBlock(cid, changed)).rejects.toMatchObject({ name: 'CidMismatch', cid })
      }),
    )
  })
})

describe('a DAG-JSON block', () => {
  const link = linkTo(helloCid)

  test('holds values with links in their JSON form', () => {
    const value = { z: [link, { deep: link }], a: 'ü', empty: {} }
    const bytes = encodeDagJson(value)
    expect(Buffer.from(bytes).toString()).toBe(
      `{"a":"ü","empty":{},"z":[{"/":"${helloCid}"},{"deep":{"/":"${helloCid}"}}]}`,
    )
    expect(decodeDagJson(bytes)).toEqual(value)
  })

  test('names what it links to, in order and with repeats', () => {
    const other = linkTo(emptyMapCid)
    const bytes = encodeDagJson({ b: [other, link], a: link })
    expect(linksOf(emptyMapCid, bytes)).toEqual([helloCid, emptyMapCid, helloCid])
    expect(linksOf(helloCid, bytes)).toEqual([])
  })

  test('leaves out members without a value', () => {
    expect(Buffer.from(encodeDagJson({ a: undefined, b: 1 })).toString()).toBe('{"b":1}')
  })

  test.each([
    ['white space', '{"a": 1}'],
    ['unsorted keys', '{"b":1,"a":1}'],
    ['a key twice', '{"a":1,"a":1}'],
    ['an exponent', '[1e3]'],
    ['minus zero', '[-0]'],
    ['an escape that is not needed', '"\\u0041"'],
    ['something after it', '{}{}'],
    ['a link to nothing', '{"/":"bafkrei"}'],
    ['no JSON', 'hello'],
    ['nothing', ''],
    ['a capital letter in a link', `{"/":"${helloCid.replace('fkr', 'fKr')}"}`],
    ['padding behind a link', `{"/":"${helloCid}="}`],
    ['nesting 66 deep', `${'['.repeat(66)}${']'.repeat(66)}`],
    ['nesting 3,000 deep', `${'['.repeat(3_000)}${']'.repeat(3_000)}`],
    ['nesting 500,000 deep', `${'['.repeat(500_000)}${']'.repeat(500_000)}`],
  ])('is refused with %s', (_, text) => {
    expect(() => decodeDagJson(new TextEncoder().encode(text))).toThrow(CidError)
  })

  test('is refused when it is larger than a block may be', () => {
    const text = JSON.stringify('a'.repeat(maximumBlockBytes))
    expect(() => decodeDagJson(new TextEncoder().encode(text))).toThrow('larger than 1 MiB')
  })

  test('knows no prototypes', () => {
    const value = decodeDagJson(new TextEncoder().encode('{"__proto__":{"isAdmin":true}}'))
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(value).not.toHaveProperty('isAdmin')
  })

  test('says by a link which kind of block it links to', () => {
    expect(linkSchema.safeParse(link).success).toBe(true)
    expect(rawLinkSchema.safeParse(link).success).toBe(true)
    expect(dagJsonLinkSchema.safeParse(link).success).toBe(false)
    expect(rawLinkSchema.safeParse(linkTo(emptyMapCid)).success).toBe(false)
    expect(dagJsonLinkSchema.safeParse(linkTo(emptyMapCid)).success).toBe(true)
    for (const bad of [{ '/': 'bafkrei' }, { '/': helloCid, extra: 1 }, { '/': 1 }, {}, helloCid, null]) {
      expect(rawLinkSchema.safeParse(bad).success).toBe(false)
    }
  })
})
