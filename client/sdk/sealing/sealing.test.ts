import { openAction, sealedSchema, signedActionSchema } from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import { type Address, subjectOf } from '@hexachord/protocol/names'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { account, answerJson, answerProblem, connectionTo, domain, serve } from '../fixtures/index.ts'
import { keyFromPrivateKey } from '../keys/index.ts'
import {
  openPrivatePlaylist,
  openSealed,
  SealError,
  seal,
  sealingKeyOf,
  writePrivatePlaylist,
} from './index.ts'

const keys = [1, 2, 3].map((n) => sealingKeyOf(keyFromPrivateKey(`0x${String(n).padStart(64, '0')}`)))
const [mine, friends, strangers] = keys as [(typeof keys)[0], (typeof keys)[0], (typeof keys)[0]]
const author: Address = `0x${'a1'.repeat(20)}`
const subject = subjectOf(author, 7n)
const readers = [mine.publicKey, friends.publicKey]
const diary = { title: 'Diary', tracks: [subject] }

describe('sealed content', () => {
  test('is opened by each of its readers, whatever it says, and has the form that the rules want', () => {
    const values = fc.dictionary(
      fc.string(),
      fc.oneof(fc.string(), fc.integer(), fc.boolean()),
    ) as fc.Arbitrary<Json>
    fc.assert(
      fc.property(values, (value) => {
        const sealed = seal(value, { subject, readers })
        expect(sealedSchema.safeParse(sealed).success).toBe(true)
        for (const key of [mine, friends]) expect(openSealed(sealed, { subject, key })).toEqual(value)
        expect(() => openSealed(sealed, { subject, key: strangers })).toThrow(/other readers/)
      }),
      { numRuns: 15 },
    )
  })

  test('opens under no other subject, and not once a bit of it was changed', () => {
    const sealed = seal(diary, { subject, readers })
    const elsewhere = { subject: subjectOf(author, 8n), key: mine }
    expect(() => openSealed(sealed, elsewhere)).toThrow(/another subject/)
    const flipped = (text: string) => `${text.startsWith('A') ? 'B' : 'A'}${text.slice(1)}`
    expect(() => openSealed({ ...sealed, box: flipped(sealed.box) }, { subject, key: mine })).toThrow(
      SealError,
    )
    const damaged = { ...sealed, keys: sealed.keys.map(flipped) }
    expect(() => openSealed(damaged, { subject, key: mine })).toThrow(SealError)
  })

  test('shows neither words, nor readers, nor its length to the letter', () => {
    const one = seal(diary, { subject, readers })
    const two = seal({ ...diary, title: 'A diary' }, { subject, readers })
    expect(two.box).toHaveLength(one.box.length)
    expect(new Set([one.from, two.from, ...one.keys, ...two.keys]).size).toBe(6)
    expect(JSON.stringify(one)).not.toContain(mine.publicKey.slice(2))
  })

  test('is for one reader at least and sixteen at most, by keys that are keys', () => {
    const sealFor = (to: string[]) => () => seal(diary, { subject, readers: to })
    expect(sealFor([])).toThrow(SealError)
    expect(sealFor(Array(17).fill(mine.publicKey))).toThrow(SealError)
    expect(sealFor(['0x12'])).toThrow(/64 lower-case/)
    expect(sealFor([`0x${'00'.repeat(32)}`])).toThrow(/no sealing key/)
  })

  test('is read by a key that the backup of the account brings back', () => {
    const again = sealingKeyOf(keyFromPrivateKey(`0x${'1'.padStart(64, '0')}`))
    expect(again).toEqual(mine)
    expect(openSealed(seal(diary, { subject, readers }), { subject, key: again })).toEqual(diary)
  })
})

describe('a private playlist', () => {
  test('goes over the network sealed, and only its readers can open it', async () => {
    const id = subjectOf(account.address, 7n)
    const last = { block: 1, logIndex: 0, digest: `0x${'22'.repeat(32)}` }
    const told = { author: account.address, title: '', description: null, album: false, unlisted: true }
    const rest = {
      trackIds: [],
      tracks: [],
      cover: null,
      saveCount: 0,
      repostCount: 0,
      createdAtMs: 1,
      updatedAtMs: 1,
    }
    const contents: { prev: string | null; sealed: unknown }[] = []
    const network = await serve(async (request, response) => {
      const path = request.url ?? ''
      const sealed = contents.at(-1)?.sealed
      if (request.method === 'POST') {
        let text = ''
        for await (const chunk of request) text += chunk
        const signed = signedActionSchema.parse(JSON.parse(text))
        contents.push(JSON.parse(signed.content))
        return answerJson(response, { hash: openAction(signed, domain).hash }, 202)
      }
      if (path.startsWith('/v1/actions/')) {
        return answerJson(response, { hash: path.split('/').at(-1), status: 'applied', block: 2 })
      }
      if (sealed === undefined) return answerProblem(response, 404, 'nothing there')
      return answerJson(response, { id, ...told, ...rest, sealed, last })
    })
    try {
      const connection = connectionTo({ discovery: network.origin, creators: [network.origin] })
      const playlist = { title: 'Diary', tracks: [subject] }
      await writePrivatePlaylist(connection, account, { subject: id, readers, playlist })
      await writePrivatePlaylist(connection, account, {
        subject: id,
        readers,
        playlist: { ...playlist, tracks: [] },
      })
      expect(contents.map(({ prev }) => prev)).toEqual([null, last.digest])
      expect(JSON.stringify(contents)).not.toContain('Diary')
      await expect(openPrivatePlaylist(connection, id, friends)).resolves.toEqual({ ...playlist, tracks: [] })
      await expect(openPrivatePlaylist(connection, id, strangers)).rejects.toThrow(SealError)
    } finally {
      await network.close()
    }
  })
})
