import { beforeAll, describe, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import fc from 'fast-check'
import type { Json } from '../canonical/index.ts'
import { encodeCanonicalJson } from '../canonical/index.ts'
import { cidOf } from '../cids/index.ts'
import { type Address, type Hash, type Subject, subjectOf, userSubject } from '../names/index.ts'
import type { Operator } from '../operators/index.ts'
import { signReceipt } from '../receipts/index.ts'
import type { Domain } from '../signing/index.ts'
import {
  type Action,
  ActionError,
  actionHash,
  applyAction,
  type Change,
  keysRead,
  kinds,
  openAction,
  signAction,
  subjectKey,
  type Verdict,
  type View,
} from './index.ts'
import { maximumPlaylistTracks } from './playlist.ts'
import { recoveryDelayMs } from './rotate.ts'

const domain: Domain = {
  name: 'Hexachord',
  version: '1',
  chainId: 31337,
  verifyingContract: '0x00000000000000000000000000000000000000aa',
}
const author: Address = `0x${'a1'.repeat(20)}`
const stranger: Address = `0x${'b2'.repeat(20)}`
const track = subjectOf(author, 7n)
const place = { block: 100, timestamp: 1_700_000_000, logIndex: 0 }
const hotKeys = [1, 2, 3].map((n) => new Wallet(`0x${n.toString(16).padStart(64, '0')}`))
const operators = hotKeys.map(
  (key, index): Operator => ({
    operator: `0x${`${index + 1}`.repeat(40)}`,
    controller: `0x${`${index + 1}`.repeat(40)}`,
    endpoint: `http://operator-${index}.example`,
    peerId: '0x00',
    hotKey: key.address.toLowerCase() as Address,
    capacityBytes: 10n ** 12n,
    exiting: false,
    stakeWei: 10n ** 21n,
    active: true,
  }),
)

/** An index in a map: what a real one must agree with. */
function index(set = operators) {
  const state = new Map<string, Json>()
  let nonce = 0n
  const view: View = {
    get: (key) => state.get(key),
    operatorsAt: () => new Map(set.map((one) => [one.operator, one])),
    domain,
    placement: { finalityBlocks: 2, epochBlocks: 16, bytesPerToken: 10n ** 9n },
  }
  const apply = (
    kind: number,
    subject: Subject,
    content: Json | Uint8Array,
    options: { signer?: Address; author?: Address; timestamp?: number } = {},
  ): { action: Action; verdict: Verdict } => {
    nonce += 1n
    const fields = {
      signer: options.signer ?? author,
      author: options.author ?? author,
      nonce,
      kind,
      subject,
      content: content instanceof Uint8Array ? content : encodeCanonicalJson(content),
    }
    const action = { hash: actionHash(fields), ...fields }
    const read = new Set(keysRead(action, view.get))
    const narrow: View = {
      ...view,
      get: (key) => {
        if (!read.has(key)) throw new Error(`the rule read ${key}, which keysRead does not name`)
        return state.get(key)
      },
    }
    const verdict = applyAction(narrow, action, { ...place, timestamp: options.timestamp ?? place.timestamp })
    if (verdict.verdict === 'applied') {
      for (const { key, value } of verdict.changes as Change[]) {
        if (!read.has(key)) throw new Error(`the rule changed ${key}, which keysRead does not name`)
        if (value === null) state.delete(key)
        else state.set(key, value)
      }
    }
    return { action, verdict }
  }
  return { state, view, apply }
}

let manifest: string
const audio = { storageRoot: `0x${'5a'.repeat(32)}` as Hash, leafCount: 40, byteLength: 10_000 }
beforeAll(async () => {
  manifest = await cidOf(new Uint8Array([1]), 'dag-json')
})

async function receiptBy(
  who: number,
  subject = track,
  fields: { validUntil?: number; manifest?: string } = {},
) {
  const key = hotKeys[who]
  const operator = operators[who]
  if (!key || !operator) throw new RangeError(`there is no operator ${who}`)
  const full = await signReceipt(key, domain, {
    operator: operator.operator,
    subject,
    manifest: fields.manifest ?? manifest,
    ...audio,
    blockNumber: 90,
    validUntil: fields.validUntil ?? place.timestamp + 1000,
  })
  const { blockNumber, validUntil, signature } = full
  return { operator: operator.operator, blockNumber, validUntil, signature }
}

function trackContent(receipts: Json[], fields: Record<string, Json> = {}): Json {
  return {
    prev: null,
    manifest,
    ...audio,
    durationMs: 1000,
    receipts,
    title: 'Hymn',
    artist: 'Guido',
    licence: 'CC0-1.0',
    rightsHeld: true,
    ...fields,
  }
}

describe('any action', () => {
  test('is rejected when its kind is unknown, its subject foreign or its signer a stranger', () => {
    const { apply } = index()
    expect(apply(60_000, track, { prev: null }).verdict.verdict).toBe('unknownKind')
    expect(apply(kinds.user.number, userSubject(stranger), { prev: null }).verdict.verdict).toBe(
      'wrongSubject',
    )
    const foreign = apply(kinds.user.number, userSubject(author), { prev: null }, { signer: stranger })
    expect(foreign.verdict.verdict).toBe('notAuthorised')
  })

  test('never makes a rule throw, whatever bytes a stranger signs', () => {
    const { apply } = index()
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 7 }),
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.json().map((text) => new TextEncoder().encode(text)),
          fc
            .string({ unit: 'binary' })
            .map((text) => new TextEncoder().encode(`{"prev":null,"title":"${text}"}`)),
        ),
        (kind, content) => {
          expect(typeof apply(kind, userSubject(author), content).verdict.verdict).toBe('string')
        },
      ),
      { numRuns: 500 },
    )
  })

  test('is malformed unless its content is canonical JSON', () => {
    const { apply } = index()
    const bytes = (text: string) => new TextEncoder().encode(text)
    for (const text of [
      '{"prev": null}',
      '{"prev":null,"prev":null}',
      '{"name":"x","prev":null,"bio":"y"}',
      '[',
      '',
    ]) {
      expect(apply(kinds.user.number, userSubject(author), bytes(text)).verdict.verdict).toBe('malformed')
    }
    const nul = apply(kinds.user.number, userSubject(author), { prev: null, name: 'a\u0000b' })
    expect(nul.verdict.verdict).toBe('malformed')
  })

  test('must name the last accepted action, so that order is the author’s', () => {
    const { apply } = index()
    const first = apply(kinds.user.number, userSubject(author), { prev: null, name: 'one' })
    expect(first.verdict.verdict).toBe('applied')
    expect(apply(kinds.user.number, userSubject(author), { prev: null, name: 'two' }).verdict.verdict).toBe(
      'stalePrev',
    )
    const second = apply(kinds.user.number, userSubject(author), { prev: first.action.hash, name: 'two' })
    expect(second.verdict.verdict).toBe('applied')
  })
})

describe('a profile', () => {
  test('takes a free handle, gives up the old one, and cannot take another’s', () => {
    const { apply, state } = index()
    const first = apply(kinds.user.number, userSubject(author), { prev: null, handle: 'guido' })
    const other = { signer: stranger, author: stranger }
    const clash = apply(kinds.user.number, userSubject(stranger), { prev: null, handle: 'guido' }, other)
    expect(clash.verdict.verdict).toBe('handleTaken')
    apply(kinds.user.number, userSubject(author), { prev: first.action.hash, handle: 'arezzo' })
    expect([state.has('handle/guido'), state.get('handle/arezzo')]).toEqual([false, author])
    const free = apply(kinds.user.number, userSubject(stranger), { prev: null, handle: 'guido' }, other)
    expect(free.verdict.verdict).toBe('applied')
  })
})

describe('a track', () => {
  test('is applied with receipts of two operators, and not with fewer', async () => {
    const { apply, state } = index()
    const one = await receiptBy(0)
    expect(apply(kinds.track.number, track, trackContent([])).verdict.verdict).toBe('missingReceipts')
    expect(apply(kinds.track.number, track, trackContent([one])).verdict.verdict).toBe('missingReceipts')
    const two = apply(kinds.track.number, track, trackContent([one, await receiptBy(1)]))
    expect(two.verdict.verdict).toBe('applied')
    expect(state.get(subjectKey(track))).toMatchObject({ kind: 'track', digest: two.action.hash })
  })

  test('needs one receipt where there is one operator, and none can hold it where there is none', async () => {
    const lonely = index(operators.slice(0, 1))
    expect(lonely.apply(kinds.track.number, track, trackContent([await receiptBy(0)])).verdict.verdict).toBe(
      'applied',
    )
    expect(index([]).apply(kinds.track.number, track, trackContent([])).verdict.verdict).toBe(
      'missingReceipts',
    )
  })

  test('is rejected with a receipt that is doubled, forged, late, foreign, or about other audio', async () => {
    const { apply } = index()
    const one = await receiptBy(0)
    const two = await receiptBy(1)
    const bad = [
      [one, one],
      [one, { ...two, signature: one.signature }],
      [one, await receiptBy(1, track, { validUntil: place.timestamp })],
      [one, await receiptBy(1, subjectOf(author, 8n))],
      [one, await receiptBy(1, track, { manifest: await cidOf(new Uint8Array([2]), 'dag-json') })],
      [one, { ...two, operator: stranger }],
      [one, { ...two, blockNumber: 101 }],
    ]
    for (const receipts of bad) {
      const { verdict } = apply(kinds.track.number, track, trackContent(receipts))
      expect(verdict.verdict).toBe('invalidReceipt')
    }
  })

  test('does not count two operators of one controller as two', async () => {
    const [first, second, third] = operators as [Operator, Operator, Operator]
    const { apply } = index([first, { ...second, controller: first.controller }, third])
    const receipts = [await receiptBy(0), await receiptBy(1)]
    expect(apply(kinds.track.number, track, trackContent(receipts)).verdict.verdict).toBe('invalidReceipt')
  })

  test('can be renamed without new receipts, but not given other audio', async () => {
    const { apply, state } = index()
    const first = apply(kinds.track.number, track, trackContent([await receiptBy(0), await receiptBy(1)]))
    const prev = first.action.hash
    const other = await cidOf(new Uint8Array([3]), 'dag-json')
    const swapped = apply(kinds.track.number, track, trackContent([], { prev, manifest: other }))
    expect(swapped.verdict.verdict).toBe('missingReceipts')
    const renamed = apply(kinds.track.number, track, trackContent([], { prev, title: 'Ut queant laxis' }))
    expect(renamed.verdict.verdict).toBe('applied')
    expect(state.get(subjectKey(track))).toMatchObject({
      body: { title: 'Ut queant laxis', operators: [operators[0]?.operator, operators[1]?.operator] },
    })
  })

  test('is a tombstone for ever once it is deleted', async () => {
    const { apply } = index()
    const receipts = [await receiptBy(0), await receiptBy(1)]
    const { action } = apply(kinds.track.number, track, trackContent(receipts))
    const gone = apply(kinds.delete.number, track, { prev: action.hash })
    expect(gone.verdict.verdict).toBe('applied')
    const again = apply(kinds.track.number, track, trackContent(receipts, { prev: gone.action.hash }))
    expect(again.verdict.verdict).toBe('deleted')
    expect(
      apply(kinds.delete.number, subjectOf(author, 9n), { prev: gone.action.hash }).verdict.verdict,
    ).toBe('stalePrev')
  })
})

describe('a playlist', () => {
  const list = subjectOf(author, 20n)
  const at = (n: number) => subjectOf(author, BigInt(n))

  test('changes by deltas and keeps what is not named', () => {
    const { apply, state } = index()
    const first = apply(kinds.playlist.number, list, {
      prev: null,
      title: 'Evening',
      add: [{ track: at(1) }, { track: at(2) }, { track: at(3) }],
    })
    apply(kinds.playlist.number, list, {
      prev: first.action.hash,
      remove: [at(2)],
      add: [{ track: at(4), at: 0 }, { track: at(1) }],
    })
    expect(state.get(subjectKey(list))).toMatchObject({
      body: { title: 'Evening', tracks: [at(4), at(1), at(3)] },
    })
  })

  test('needs a title when it is new, and cannot take the number of a track', async () => {
    const { apply } = index()
    expect(apply(kinds.playlist.number, list, { prev: null }).verdict.verdict).toBe('malformed')
    const { action } = apply(
      kinds.track.number,
      track,
      trackContent([await receiptBy(0), await receiptBy(1)]),
    )
    const clash = apply(kinds.playlist.number, track, { prev: action.hash, title: 'no' })
    expect(clash.verdict.verdict).toBe('wrongSubject')
  })

  test('never holds a track twice, never grows past its bound', () => {
    const { apply, state } = index()
    let prev: Hash | null = null
    let rejected = ''
    for (let page = 0; page <= maximumPlaylistTracks / 80; page++) {
      const add = Array.from({ length: 80 }, (_, n) => ({ track: at(100 + page * 79 + n) }))
      const { action, verdict } = apply(kinds.playlist.number, list, { prev, title: 'Long', add })
      if (verdict.verdict === 'applied') prev = action.hash
      else rejected = verdict.verdict
    }
    const { body } = state.get(subjectKey(list)) as { body: { tracks: Subject[] } }
    expect(new Set(body.tracks).size).toBe(body.tracks.length)
    expect(rejected).toBe('listTooLong')
    expect(body.tracks.length).toBeLessThanOrEqual(maximumPlaylistTracks)
  })
})

describe('rotating keys', () => {
  const me = userSubject(author)

  test('hands an author to another key at once, and the name stays', () => {
    const { apply } = index()
    const first = apply(kinds.rotate.number, me, { prev: null, controller: stranger })
    expect(first.verdict.verdict).toBe('applied')
    const prev = first.action.hash
    expect(apply(kinds.user.number, me, { prev, name: 'old key' }).verdict.verdict).toBe('notAuthorised')
    expect(
      apply(kinds.user.number, me, { prev, name: 'new key' }, { signer: stranger }).verdict.verdict,
    ).toBe('applied')
  })

  test('by the recovery key is in force only after the delay, and the controller can undo it', () => {
    const recovery: Address = `0x${'c3'.repeat(20)}`
    const thief: Address = `0x${'d4'.repeat(20)}`
    const { apply } = index()
    const one = apply(kinds.rotate.number, me, { prev: null, controller: author, recovery })
    const two = apply(
      kinds.rotate.number,
      me,
      { prev: one.action.hash, controller: thief },
      { signer: recovery },
    )
    expect(two.verdict.verdict).toBe('applied')
    const later = place.timestamp + recoveryDelayMs / 1000
    const early = { signer: thief, timestamp: later - 1 }
    expect(apply(kinds.user.number, me, { prev: two.action.hash }, early).verdict.verdict).toBe(
      'notAuthorised',
    )
    const inTime = apply(
      kinds.rotate.number,
      me,
      { prev: two.action.hash, controller: author },
      { timestamp: later - 1 },
    )
    expect(inTime.verdict.verdict).toBe('applied')
    const late = { signer: thief, timestamp: later + 10 }
    expect(apply(kinds.user.number, me, { prev: inTime.action.hash }, late).verdict.verdict).toBe(
      'notAuthorised',
    )
    const three = apply(
      kinds.rotate.number,
      me,
      { prev: inTime.action.hash, controller: stranger },
      { signer: recovery },
    )
    const lost = { signer: stranger, timestamp: later }
    expect(apply(kinds.user.number, me, { prev: three.action.hash }, lost).verdict.verdict).toBe('applied')
  })
})

describe('a signed action', () => {
  test('opens to what was signed, under a name that its deadline does not change', async () => {
    const wallet = Wallet.createRandom()
    const me = wallet.address.toLowerCase() as Address
    const fields = {
      kind: 'user' as const,
      author: me,
      nonce: 5n,
      subject: userSubject(me),
      content: { prev: null },
    }
    const one = await signAction(wallet, domain, { ...fields, deadline: 1_700_000_000 })
    const two = await signAction(wallet, domain, { ...fields, deadline: 1_800_000_000 })
    const { hash, ...wire } = one
    expect(openAction(wire, domain)).toMatchObject({ hash, signer: me, nonce: 5n })
    expect(two.hash).toBe(hash)
    expect(() => openAction({ ...wire, signature: '0x12' }, domain)).toThrow(ActionError)
  })

  test('is never signed when every indexer would reject it as malformed', async () => {
    const wallet = Wallet.createRandom()
    const me = wallet.address.toLowerCase() as Address
    const fields = { kind: 'user' as const, author: me, nonce: 5n, subject: userSubject(me), deadline: 1 }
    await expect(
      signAction(wallet, domain, { ...fields, content: { prev: null, handle: 'UPPER' } }),
    ).rejects.toThrow(/handle/)
  })
})
