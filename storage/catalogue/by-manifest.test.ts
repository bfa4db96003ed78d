import { openSqlite, type Sqlite } from '@hexachord/platform/sqlite'
import type { SubjectState } from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import type { IndexedAction, IndexedBlock } from '@hexachord/protocol/catalogue'
import { authorOf, type Hash, type Subject, subjectOf } from '@hexachord/protocol/names'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { byManifestQuery, type CatalogueStore, openCatalogueStore } from './catalogue-store.ts'
import { catalogueMigrations } from './catalogue-tables.ts'

const hash: Hash = `0x${'ab'.repeat(32)}`
const network = { name: 'test', firstBlock: 1, versions: [] }
/** Sorts behind all others. */
const victim = subjectOf(`0x${'ff'.repeat(20)}`, 1n)
const attacker = (number: number) => subjectOf(`0x${'00'.repeat(20)}`, BigInt(number))

let database: Sqlite
let store: CatalogueStore
let block: number
beforeEach(() => {
  database = openSqlite(':memory:', { migrations: catalogueMigrations })
  store = openCatalogueStore(database, network)
  block = 0
})
afterEach(() => database.close())

/** One block, in which each of these tracks says in its turn what its manifest is, or that it is deleted. */
function mine(...said: readonly (readonly [track: Subject, manifest: string | undefined])[]): void {
  block += 1
  const changes = new Map<string, { before: Json; after: Json; afterText: string }>()
  const actions = said.map(([subject, manifest], logIndex): IndexedAction => {
    const author = authorOf(subject)
    const key = `subject/${subject}`
    const state: SubjectState = {
      ...{ kind: 'track', author, digest: hash, createdAtMs: 1, updatedAtMs: block, block, logIndex },
      deleted: manifest === undefined,
      body: { ...(manifest !== undefined && { manifest }) },
    }
    const after = state as unknown as Json
    const before = changes.get(key)?.before ?? store.value(key) ?? null
    changes.set(key, { before, after, afterText: JSON.stringify(after) })
    const action = { hash, author, signer: author, nonce: 1n, kind: 2, subject, content: new Uint8Array() }
    const place = { block, timestamp: block, logIndex }
    return { action, place, verdict: { verdict: 'applied', changes: [{ key, value: after }] } }
  })
  const indexed: IndexedBlock = { number: block, hash, stateHash: hash, changes }
  const state = new Map([...changes].map(([key, { after }]) => [key, after]))
  const result = { blocks: [indexed], actions, operatorEvents: [], state, stateHash: hash, isCut: false }
  store.append({ toBlock: block, finalized: 0, blocks: [{ number: block, hash }], operatorLogs: [], result })
}

const tracksWith = (manifest: string) =>
  store.withManifest(manifest).map(({ key }) => key.slice('subject/'.length))

describe('of tracks with the same manifest', () => {
  test('the one that had it first is first, however many others there are and whatever they are called', () => {
    mine([victim, 'song'])
    const others = Array.from({ length: 100 }, (_, index) => attacker(index))
    for (const other of others) mine([other, 'song'])
    expect(tracksWith('song')).toEqual([victim, ...others.slice(0, 63)])
  })

  test('one that was published long before the manifest, and took it over later, is later', () => {
    mine([attacker(1), 'nothing'])
    mine([victim, 'song'])
    mine([attacker(1), 'song'])
    expect(tracksWith('song')).toEqual([victim, attacker(1)])
  })

  test('one stays the first when it says something new of itself, and when it comes back from another manifest', () => {
    mine([victim, 'song'])
    mine([attacker(1), 'song'])
    mine([victim, 'song'])
    expect(tracksWith('song')).toEqual([victim, attacker(1)])
    mine([victim, 'remaster'])
    expect(tracksWith('song')).toEqual([attacker(1)])
    mine([victim, 'song'])
    expect(tracksWith('song')).toEqual([victim, attacker(1)])
  })

  test('in one block the place in it decides, also over what is said later in it', () => {
    mine([victim, 'song'], [attacker(1), 'song'], [victim, 'song'])
    expect(tracksWith('song')).toEqual([victim, attacker(1)])
    mine([attacker(2), 'other'], [victim, 'other'])
    expect(tracksWith('other')).toEqual([attacker(2), victim])
  })

  test('what was deleted, or has another by now, takes no place', () => {
    const gone = Array.from({ length: 64 }, (_, index) => attacker(index))
    mine(...gone.map((track) => [track, 'song'] as const))
    mine([victim, 'song'])
    mine(...gone.map((track, index) => [track, index % 2 === 0 ? undefined : 'other'] as const))
    expect(tracksWith('song')).toEqual([victim])
  })

  test('what a reorganisation takes back was never had', () => {
    mine([attacker(1), 'other'])
    mine([attacker(1), 'song'])
    store.undoTo(1)
    block = 1
    mine([victim, 'song'])
    mine([attacker(1), 'song'])
    expect(tracksWith('song')).toEqual([victim, attacker(1)])
    store.undoTo(2)
    expect([tracksWith('song'), tracksWith('other')]).toEqual([[victim], [attacker(1)]])
  })

  test('none but them are looked at', () => {
    const plan = database.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${byManifestQuery}`, 'song')
    const details = plan.map(({ detail }) => detail).join('\n')
    expect(details).toContain('USING COVERING INDEX catalogue_manifest_by_place (manifest=?)')
    expect(details).toContain('USING PRIMARY KEY (key=?)')
    expect(details).not.toMatch(/SCAN|TEMP B-TREE/)
  })
})

test('an index that was made before it was known who had what first is made again, with the chain’s whole history', () => {
  const before = catalogueMigrations.findIndex(({ name }) => name === 'catalogue-manifests-since')
  const old = openSqlite(':memory:', { migrations: catalogueMigrations.slice(0, before) })
  old.run(
    `INSERT INTO catalogue_progress (one, network, indexed, finalized, rules) VALUES (1, 'test', 9, 9, '[]')`,
  )
  old.run(`INSERT INTO catalogue_state (key, value) VALUES ('subject/1', '{"body":{"manifest":"song"}}')`)
  old.exec(
    catalogueMigrations
      .slice(before)
      .map(({ sql }) => sql)
      .join('\n'),
  )
  const opened = openCatalogueStore(old, network)
  expect(opened.progress()).toMatchObject({ indexed: 0 })
  expect(opened.value('subject/1')).toBeUndefined()
  expect(() => openCatalogueStore(old, { ...network, name: 'another' })).toThrow(/another/)
  old.close()
})
