import { type Address, type Hash, type Subject, subjectOf, userSubject } from '@hexachord/protocol/names'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { contentsOf, createTestDatabase, type TestDatabase } from '../fixtures/database.ts'
import { indexNaively } from '../fixtures/naive-index.ts'
import { createSyntheticChain, type SyntheticChain } from '../fixtures/synthetic-chain.ts'
import {
  actedLog,
  exitRequestedLog,
  indexedNetwork,
  type LooseLog,
  operators,
  registeredLog,
  rules,
  stakedLog,
  trackContent,
  updatedLog,
  updatedLogOfBytes,
} from '../fixtures/synthetic-network.ts'
import { type CatalogueIndex, openCatalogueIndex } from './catalogue-index.ts'

// Databases are made and dropped on machines that do other things as well.
jest.setTimeout(60_000)

const guido: Address = `0x${'a1'.repeat(20)}`
const hilda: Address = `0x${'b2'.repeat(20)}`
const track = subjectOf(guido, 7n)
const playlist = subjectOf(guido, 8n)

let database: TestDatabase
let chain: SyntheticChain
let index: CatalogueIndex

beforeEach(async () => {
  database = await createTestDatabase()
  chain = createSyntheticChain()
  index = await openIndex()
  chain.mine([...operators.map(registeredLog), ...operators.map((operator) => stakedLog(operator))])
  // Placement takes operators from epochs of final blocks.
  for (let block = 2; block <= 8; block++) chain.mine()
  await catchUp()
})
afterEach(() => database.drop())

function openIndex(): Promise<CatalogueIndex> {
  return openCatalogueIndex({ postgres: database.postgres, network: indexedNetwork, rules })
}

/** Indexes up to the head in one range. */
async function catchUp(): Promise<void> {
  await index.append(chain.range(index.checkpoint.indexed + 1, chain.head))
}

/** Mines the logs as one block each, and indexes them. */
async function put(...logs: LooseLog[]): Promise<void> {
  for (const log of logs) chain.mine([log])
  await catchUp()
}

async function rows(table: string): Promise<Record<string, unknown>[]> {
  return (await database.postgres.query(`SELECT * FROM ${table}`)).rows
}

async function digestOf(subject: Subject): Promise<Hash> {
  const { rows } = await database.postgres.query<{ value: { digest: Hash } }>(
    'SELECT value FROM state WHERE key = $1',
    [`subject/${subject}`],
  )
  if (rows[0] === undefined) throw new Error(`nothing under ${subject}`)
  return rows[0].value.digest
}

/** Verdicts of the newest actions, in order. */
async function lastVerdicts(count: number): Promise<{ verdict: string; reason: string | null }[]> {
  const { rows } = await database.postgres.query<{ verdict: string; reason: string | null }>(
    `SELECT verdict, reason FROM (SELECT * FROM action ORDER BY block DESC, log_index DESC LIMIT $1) AS newest
     ORDER BY block, log_index`,
    [count],
  )
  return rows
}

async function publish(subject = track, fields: Record<string, string | boolean> = {}): Promise<LooseLog> {
  const content = await trackContent(subject, { prev: null, ...fields })
  return actedLog({ author: guido, kind: 'track', subject, content })
}

describe('what is read', () => {
  test('shows a published track with its author, holders and place on the chain', async () => {
    await put(await publish(track, { genre: 'Chant', unlisted: true }))
    const block = chain.blocks.at(-1)
    expect(await rows('track')).toEqual([
      expect.objectContaining({
        id: track,
        author: guido,
        title: 'Ut queant laxis',
        genre: 'Chant',
        unlisted: true,
        duration_ms: 180_000,
        operators: [operators[0]?.operator, operators[1]?.operator],
        created_at_ms: (block?.timestamp ?? 0) * 1000,
        block: block?.number,
        log_index: 1,
        digest: await digestOf(track),
      }),
    ])
  })

  test('follows profiles, playlists by delta, rotations and deletions', async () => {
    await put(
      actedLog({
        author: guido,
        kind: 'user',
        subject: userSubject(guido),
        content: { prev: null, handle: 'guido', name: 'Guido of Arezzo' },
      }),
      await publish(),
      actedLog({
        author: guido,
        kind: 'playlist',
        subject: playlist,
        content: { prev: null, title: 'Hymns', add: [{ track }, { track: subjectOf(guido, 9n) }] },
      }),
    )
    await put(
      actedLog({
        author: guido,
        kind: 'playlist',
        subject: playlist,
        content: { prev: await digestOf(playlist), remove: [track], add: [{ track, at: 1 }] },
      }),
      actedLog({
        author: guido,
        kind: 'rotate',
        subject: userSubject(guido),
        content: { prev: await digestOf(userSubject(guido)), controller: hilda },
      }),
      actedLog({
        author: guido,
        signer: hilda,
        kind: 'delete',
        subject: track,
        content: { prev: await digestOf(track) },
      }),
    )
    expect(await lastVerdicts(6)).toEqual(Array(6).fill({ verdict: 'applied', reason: null }))
    expect(await rows('profile')).toMatchObject([{ id: guido, handle: 'guido', name: 'Guido of Arezzo' }])
    expect(await rows('playlist')).toMatchObject([{ id: playlist, tracks: [subjectOf(guido, 9n), track] }])
    expect(await rows('track')).toEqual([])
  })

  test('keeps a profile when another subject of its author goes', async () => {
    await put(
      actedLog({
        author: guido,
        kind: 'user',
        subject: userSubject(guido),
        content: { prev: null, name: 'Guido' },
      }),
      await publish(),
    )
    await put(
      actedLog({
        author: guido,
        kind: 'delete',
        subject: track,
        content: { prev: await digestOf(track) },
      }),
    )
    expect(await rows('profile')).toMatchObject([{ name: 'Guido' }])
  })

  test('shows operators as they are now', async () => {
    const [first, second, third] = operators
    if (!first || !second || !third) throw new Error('three operators')
    await put(
      updatedLog(first, 'https://new.example'),
      exitRequestedLog(second),
      stakedLog(third, 5n),
      updatedLog(third, 'not a URL \0'),
    )
    const found = await rows('operator ORDER BY id')
    expect(found).toMatchObject([
      { id: first.operator, gateway: 'https://new.example', active: true },
      { id: second.operator, active: false },
      { id: third.operator, endpoint: 'not a URL \ufffd', gateway: null, stake_wei: '5', active: false },
    ])
  })
})

describe('an action that breaks a rule', () => {
  test('is recorded with its reason, and changes nothing', async () => {
    await put(await publish())
    const bare = { ...((await trackContent(track, { prev: null })) as object), receipts: [] }
    const before = await rows('state')
    await put(
      actedLog({
        author: guido,
        signer: hilda,
        kind: 'delete',
        subject: track,
        content: { prev: await digestOf(track) },
      }),
      actedLog({ author: guido, kind: 'track', subject: subjectOf(guido, 10n), content: bare }),
      await publish(),
      actedLog({
        author: hilda,
        kind: 'user',
        subject: userSubject(hilda),
        content: { prev: null, handel: 'x' },
      }),
      actedLog({ author: hilda, kind: 60_000, subject: userSubject(hilda), content: { prev: null } }),
    )
    const verdicts = await lastVerdicts(5)
    expect(verdicts.map(({ verdict }) => verdict)).toEqual([
      'notAuthorised',
      'missingReceipts',
      'stalePrev',
      'malformed',
      'unknownKind',
    ])
    for (const { reason } of verdicts) expect(reason?.length).toBeGreaterThan(10)
    expect(await rows('state')).toEqual(before)
  })

  test('loses a handle to who came first, in one block too', async () => {
    const claim = (author: Address) =>
      actedLog({ author, kind: 'user', subject: userSubject(author), content: { prev: null, handle: 'ut' } })
    chain.mine([claim(hilda), claim(guido)])
    await catchUp()
    expect(await lastVerdicts(2)).toMatchObject([
      { verdict: 'applied' },
      { verdict: 'handleTaken', reason: expect.stringContaining(hilda) },
    ])
    expect(await rows('profile')).toMatchObject([{ id: hilda, handle: 'ut' }])
  })
})

describe('what strangers may write', () => {
  const strange: [string, Uint8Array | string][] = [
    ['a NUL byte', new Uint8Array([0x7b, 0x22, 0, 0x22])],
    ['a NUL that is escaped', '{"name":"a\\u0000b","prev":null}'],
    ['a key with NUL', '{"a\\u0000b":1,"prev":null}'],
    ['bytes that are no text', new Uint8Array([0xff, 0xfe, 0x80])],
    ['half of a surrogate pair', '{"name":"\\ud800","prev":null}'],
    ['a very long unknown key', `{"prev":null,"${'\u{1f3b5}'.repeat(1000)}":1}`],
    ['nothing', ''],
    ['deep nesting', '['.repeat(4096) + ']'.repeat(4096)],
  ]
  test.each(strange)('cannot stop the index: %s', async (_, content) => {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
    const subject = userSubject(hilda)
    await put(actedLog({ author: hilda, kind: 'user', subject, content: bytes }))
    expect(await lastVerdicts(1)).toMatchObject([{ verdict: 'malformed' }])
  })

  test('cannot stop the index: an endpoint that is no text', async () => {
    const [operator] = operators
    if (!operator) throw new Error('three operators')
    await put(updatedLogOfBytes(operator, new Uint8Array([0xff, 0x00, 0x41])))
    expect(index.checkpoint.indexed).toBe(chain.head)
  })

  test('comes back as it was: letters of every plane, the largest nonce', async () => {
    const name = 'e\u0301 \u{1f3b6} \u202Eזמר ﷽ \\ " \' %'
    const subject = userSubject(hilda)
    const content = { prev: null, name, bio: 'one\n\ntwo\t'.trimEnd() }
    const nonce = 2n ** 256n - 1n
    await put(actedLog({ author: hilda, kind: 'user', subject, content, nonce }))
    expect(await rows('profile')).toMatchObject([{ name, bio: 'one\n\ntwo' }])
    expect(await rows('action')).toMatchObject([{ nonce: nonce.toString() }])
  })
})

describe('the chain', () => {
  test('may be empty for long', async () => {
    for (let block = 0; block < 500; block++) chain.mine()
    await catchUp()
    expect(index.checkpoint).toMatchObject({ indexed: 508, finalized: 504, stateHashBlock: 1 })
    // Only what is above finality, the newest final one, and the one with logs.
    expect((await rows('block')).length).toBe(6)
  })

  test('gives the same state hashes as the naive index, block by block', async () => {
    await put(await publish(), await publish(subjectOf(guido, 10n)), await publish())
    const naive = indexNaively(chain.blocks, rules)
    const hashes = (await rows('block WHERE logs > 0 ORDER BY number')).map((row) => [
      row.number,
      row.state_hash,
    ])
    expect(hashes).toEqual([...naive.stateHashes])
    expect(index.checkpoint.stateHash).toBe([...naive.stateHashes.values()].at(-1))
  })

  test('may count log indexes up to 2^32', async () => {
    const block = chain.mine([await publish()])
    const range = chain.range(block.number, block.number)
    const logs = range.logs.map((log) => ({ ...log, logIndex: 0xffffffe2 }))
    await index.append({ ...range, logs })
    expect(await rows('track')).toMatchObject([{ log_index: 0xffffffe2 }])
  })

  test('is taken back: every table is as if the blocks had never been', async () => {
    await put(
      await publish(),
      actedLog({
        author: guido,
        kind: 'user',
        subject: userSubject(guido),
        content: { prev: null, handle: 'ut' },
      }),
    )
    const before = await contentsOf(database.postgres)
    const { checkpoint } = index
    const [operator] = operators
    if (!operator) throw new Error('three operators')
    await put(
      actedLog({ author: guido, kind: 'delete', subject: track, content: { prev: await digestOf(track) } }),
      actedLog({
        author: guido,
        kind: 'user',
        subject: userSubject(guido),
        content: { prev: await digestOf(userSubject(guido)), handle: 're' },
      }),
      updatedLog(operator, 'https://elsewhere.example'),
    )
    await index.takeBack(checkpoint.indexed)
    const after = await contentsOf(database.postgres)
    for (const table of ['state', 'track', 'profile', 'operator', 'action', 'log', 'operator_event']) {
      expect([table, after[table]]).toEqual([table, before[table]])
    }
    expect(index.checkpoint).toMatchObject({
      indexed: checkpoint.indexed,
      stateHash: checkpoint.stateHash,
      stateHashBlock: checkpoint.stateHashBlock,
    })
  })

  test('cannot be taken back below finality', async () => {
    await expect(index.takeBack(index.checkpoint.finalized - 1)).rejects.toThrow(/was final/)
  })

  test('is followed without a gap: a range that does not begin where the index ends is refused', async () => {
    chain.mine()
    chain.mine()
    await expect(index.append(chain.range(chain.head, chain.head))).rejects.toThrow(/the index ends at 8/)
  })
})

describe('an index', () => {
  test('is opened again where it stopped', async () => {
    await put(await publish())
    const again = await openIndex()
    expect(again.checkpoint).toEqual(index.checkpoint)
    chain.mine([await publish(subjectOf(guido, 11n))])
    index = again
    await catchUp()
    expect(await lastVerdicts(1)).toMatchObject([{ verdict: 'applied' }])
  })

  test('that was interrupted in mid-range holds nothing of it', async () => {
    const before = await contentsOf(database.postgres)
    const log = await publish()
    chain.mine([log])
    chain.mine([await publish(subjectOf(guido, 12n))])
    const range = chain.range(9, chain.head)
    await expect(index.append(range, AbortSignal.abort(new Error('closing')))).rejects.toThrow('closing')
    // A second log with the same place breaks the transaction in its middle.
    const twice = { ...range, logs: [...range.logs, ...range.logs.slice(-1)] }
    await expect(index.append(twice)).rejects.toThrow(/duplicate key/)
    expect(await contentsOf(database.postgres)).toEqual(before)
    await index.append(range)
    expect(await rows('track')).toHaveLength(2)
  })

  test('is made anew from stored logs and comes to the same', async () => {
    await put(await publish(), await publish(), await publish(subjectOf(guido, 12n)))
    const before = await contentsOf(database.postgres)
    await index.replay()
    expect(await contentsOf(database.postgres)).toEqual(before)
    expect((await openIndex()).checkpoint).toEqual(index.checkpoint)
  })

  test('is made anew when it was made by other rules', async () => {
    await put(await publish())
    const before = await contentsOf(database.postgres)
    await database.postgres.query(`UPDATE checkpoint SET rules_version = 0`)
    await database.postgres.query(`UPDATE track SET title = 'by other rules'`)
    await openIndex()
    expect(await contentsOf(database.postgres)).toEqual(before)
  })

  test('of another network is refused', async () => {
    const other = { ...indexedNetwork, catalog: `0x${'ee'.repeat(20)}` }
    const opening = openCatalogueIndex({ postgres: database.postgres, network: other, rules })
    await expect(opening).rejects.toThrow(/holds the index of the Catalog 0x0{38}aa/)
  })

  test('that another process has moved on is not written to', async () => {
    const other = await openIndex()
    const log = await publish()
    chain.mine([log])
    await other.append(chain.range(9, 9))
    const before = await contentsOf(database.postgres)
    chain.drop(1)
    chain.mine([])
    await expect(index.append(chain.range(9, 9))).rejects.toThrow()
    expect(await contentsOf(database.postgres)).toEqual(before)
  })
})
