import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '@hexachord/platform/process'
import { openSqlite, type Sqlite } from '@hexachord/platform/sqlite'
import type { SubjectState } from '@hexachord/protocol/actions'
import { encodeDagJson, linkTo } from '@hexachord/protocol/cids'
import { type Address, authorOf, type Subject, subjectOf } from '@hexachord/protocol/names'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { CatalogueChange } from '../catalogue/index.ts'
import { eventually } from '../ipfs/fixtures/eventually.ts'
import { createEmbeddedIpfs, type IpfsNode, ipfsMigrations } from '../ipfs/index.ts'
import { makeTestTrack, type TestTrack } from '../tracks/fixtures/index.ts'
import { parseDenylist } from './denylist.ts'
import { openTakedowns } from './open-takedowns.ts'
import { takedownMigrations } from './takedown-store.ts'
import type { TakedownOptions, Takedowns } from './takedowns.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const addressOf = (digit: string): Address => `0x${digit.repeat(40)}`
const [office, stranger, artist] = [addressOf('a'), addressOf('b'), addressOf('c')]

let directory: string
let database: Sqlite
let ipfs: IpfsNode
let states: Map<Subject, SubjectState>
let listeners: Set<(change: CatalogueChange) => void>
/** Tracks that this node has of its own accord, by manifest. */
let kept: Map<string, Subject[]>
let opened: Takedowns[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'takedowns-'))
  database = openSqlite(':memory:', { migrations: [...ipfsMigrations, ...takedownMigrations] })
  ipfs = await createEmbeddedIpfs({ directory, database, logger, bitswap: false })
  states = new Map()
  listeners = new Set()
  kept = new Map()
  opened = []
})
afterEach(async () => {
  for (const takedowns of opened) await takedowns.close()
  await ipfs.close()
  database.close()
  await rm(directory, { recursive: true })
})

const catalogue: TakedownOptions['catalogue'] = {
  subject: (subject) => states.get(subject),
  *subjectsOf(author) {
    for (const [subject, state] of states) if (authorOf(subject) === author) yield { subject, state }
  },
  onChange(listener) {
    listeners.add(listener)
    return () => listeners.delete(listener)
  },
}

async function open(options: Partial<TakedownOptions> = {}) {
  const result = await openTakedowns({
    ...{ catalogue, database, ipfs, logger, operator: addressOf('1'), now: Date.now },
    honoured: [office],
    manifestsOf: () => [],
    tracksOf: (manifest) => kept.get(manifest) ?? [],
    filesEveryMs: 20,
    ...options,
  })
  opened.push(result.takedowns)
  return result
}

/** What the chain says from now on; undefined takes it back, as a reorganisation does. */
function say(subject: Subject, kind: SubjectState['kind'], body: SubjectState['body'] | undefined): void {
  if (body === undefined) states.delete(subject)
  else {
    const place = { createdAtMs: 0, updatedAtMs: 0, block: 1, logIndex: 0, digest: '0x00' as const }
    states.set(subject, { kind, author: authorOf(subject), deleted: false, body, ...place })
  }
  const nothing = { actions: [], operators: false, ranks: false, reorganised: false }
  for (const listener of listeners) listener({ subjects: [subject], ...nothing })
}

const notice = (author: Address, number: bigint, track: Subject) => {
  const subject = subjectOf(author, number)
  say(subject, 'notice', { track, ground: 'copyright', statement: 'It is mine.' })
  return subject
}

async function hold(track: TestTrack, subject: Subject, options = { pin: true }): Promise<void> {
  for (const { cid, bytes } of track.blocks) await ipfs.putVerified(cid, bytes)
  if (options.pin) await ipfs.pin(track.manifest)
  kept.set(track.manifest, [...(kept.get(track.manifest) ?? []), subject])
  say(subject, 'track', { manifest: track.manifest })
}

const first = subjectOf(artist, 1n)
const second = subjectOf(artist, 2n)

const deniedOf = (takedowns: Takedowns, { blocks }: TestTrack) =>
  blocks.filter(({ cid }) => takedowns.isDenied(cid)).length

describe('a notice', () => {
  test('that comes while the disk is full denies its track at once, and its blocks when there is room', async () => {
    const track = await makeTestTrack({ segments: 100, segmentBytes: 100 })
    await hold(track, first)
    const { takedowns } = await open()
    database.exec('PRAGMA max_page_count = 1')
    notice(office, 1n, first)
    expect(takedowns.trackDenied(first)).toMatchObject({ track: first, by: office })
    expect(deniedOf(takedowns, track)).toBe(0)
    database.exec('PRAGMA max_page_count = 100000')
    await eventually(
      () => deniedOf(takedowns, track),
      (denied) => denied === track.blocks.length,
    )
  })

  test('by somebody whom the operator honours denies every block of its track', async () => {
    const track = await makeTestTrack()
    await hold(track, first)
    const { takedowns } = await open()
    expect(deniedOf(takedowns, track)).toBe(0)
    const name = notice(office, 1n, first)
    expect(deniedOf(takedowns, track)).toBe(track.blocks.length)
    expect(takedowns.trackDenied(first)).toEqual({
      ...{ track: first, notice: name, by: office, ground: 'copyright' },
    })
    expect(takedowns.counts()).toMatchObject({ notices: 1, tracks: 1 })
    expect(() => takedowns.requireServed(track.manifest)).toThrow(name)
    expect(() => takedowns.requireServed(track.manifest)).not.toThrow('It is mine')
  })

  test('by anybody else changes nothing', async () => {
    const track = await makeTestTrack()
    await hold(track, first)
    const { takedowns } = await open()
    notice(stranger, 1n, first)
    expect(deniedOf(takedowns, track)).toBe(0)
    expect(takedowns.trackDenied(first)).toBeUndefined()
  })

  test('holds over a restart, also when the copy has gone', async () => {
    const track = await makeTestTrack()
    await hold(track, first)
    notice(office, 1n, first)
    const before = await open()
    expect(deniedOf(before.takedowns, track)).toBe(track.blocks.length)
    await before.takedowns.close()
    await ipfs.unpin(track.manifest)
    await ipfs.collect({ graceMs: -1_000 })
    expect(await ipfs.has(track.manifest)).toBe(false)
    const { takedowns } = await open()
    expect(deniedOf(takedowns, track)).toBe(track.blocks.length)
  })

  test('that is withdrawn, or taken back by a reorganisation, denies no more; a second one still does', async () => {
    const track = await makeTestTrack()
    await hold(track, first)
    const { takedowns } = await open()
    const seen: unknown[] = []
    takedowns.onChange((tracks) => seen.push(tracks))
    const [one, other] = [notice(office, 1n, first), notice(office, 2n, first)]
    say(one, 'notice', undefined)
    expect(deniedOf(takedowns, track)).toBe(track.blocks.length)
    states.set(other, { ...(states.get(other) as SubjectState), deleted: true, body: {} })
    const nothing = { actions: [], operators: false, ranks: false, reorganised: false }
    for (const listener of listeners) listener({ subjects: [other], ...nothing })
    expect(deniedOf(takedowns, track)).toBe(0)
    expect(takedowns.trackDenied(first)).toBeUndefined()
    expect(seen).toEqual([[first], [first], [first], [first]])
  })

  test('of an author who is honoured no more is forgotten with the next start', async () => {
    const track = await makeTestTrack()
    await hold(track, first)
    notice(office, 1n, first)
    await (await open()).takedowns.close()
    const { takedowns } = await open({ honoured: [stranger] })
    expect(deniedOf(takedowns, track)).toBe(0)
    expect(takedowns.counts()).toMatchObject({ notices: 0, tracks: 0 })
  })

  test('that comes before its track denies it when it comes', async () => {
    const track = await makeTestTrack()
    const { takedowns } = await open()
    notice(office, 1n, first)
    expect(takedowns.trackDenied(first)).toBeDefined()
    await hold(track, first)
    expect(deniedOf(takedowns, track)).toBe(track.blocks.length)
  })

  test('denies what replaces its track, and what it replaced', async () => {
    const [old, fresh] = [await makeTestTrack(), await makeTestTrack()]
    await hold(old, first)
    const { takedowns } = await open()
    notice(office, 1n, first)
    await hold(fresh, first)
    expect(deniedOf(takedowns, fresh)).toBe(fresh.blocks.length)
    expect(deniedOf(takedowns, old)).toBe(old.blocks.length)
  })

  test('finds the blocks of a track that is here and not pinned', async () => {
    const track = await makeTestTrack()
    await hold(track, first, { pin: false })
    const { takedowns } = await open()
    notice(office, 1n, first)
    expect(takedowns.isDenied(track.manifest)).toBe(true)
    await eventually(
      () => deniedOf(takedowns, track),
      (count) => count === track.blocks.length,
    )
  })
})

describe('a block that another track has, too', () => {
  test('is served for as long as that track is here and not denied', async () => {
    const track = await makeTestTrack()
    const [shared] = track.blocks
    if (shared === undefined) throw new Error('no blocks')
    await hold(track, first)
    const other = await ipfs.put(encodeDagJson({ silence: linkTo(shared.cid) }), 'dag-json')
    await ipfs.pin(other)
    const { takedowns } = await open()
    notice(office, 1n, first)
    expect(takedowns.isDenied(shared.cid)).toBe(false)
    expect(deniedOf(takedowns, track)).toBe(track.blocks.length - 1)
    await ipfs.unpin(other)
    await eventually(() => takedowns.isDenied(shared.cid), Boolean)
  }, 15_000)

  test('as one whole recording under two names goes with the second of them', async () => {
    const track = await makeTestTrack()
    await hold(track, first)
    await hold(track, second)
    const { takedowns } = await open()
    notice(office, 1n, first)
    expect(takedowns.trackDenied(first)).toBeDefined()
    expect(takedowns.trackDenied(second)).toBeUndefined()
    expect(deniedOf(takedowns, track)).toBe(0)
    notice(office, 2n, second)
    expect(deniedOf(takedowns, track)).toBe(track.blocks.length)
  })
})

describe('a directory of denylists', () => {
  const list = (name: string, text: string) => writeFile(join(directory, name), text)

  test('is read at the start and whenever a file changes', async () => {
    const track = await makeTestTrack()
    await hold(track, first)
    await list('b.deny', `/ipfs/${track.manifest}\nnonsense\n`)
    await list('notes.txt', `/ipfs/${track.blocks[0]?.cid}\n`)
    const { takedowns } = await open({ directory })
    expect(takedowns.counts()).toMatchObject({ lists: 1, rules: 1, badLines: 1 })
    expect(takedowns.trackDenied(first)).toEqual({ list: 'b.deny' })
    expect(deniedOf(takedowns, track)).toBe(1)
    await list('c.deny', `!/ipfs/${track.manifest}\n`)
    await eventually(
      () => takedowns.isDenied(track.manifest),
      (denied) => !denied,
    )
    await rm(join(directory, 'c.deny'))
    await eventually(() => takedowns.isDenied(track.manifest), Boolean)
  })

  test('keeps what a list said when it breaks', async () => {
    const track = await makeTestTrack()
    await list('a.deny', `/ipfs/${track.manifest}\n`)
    const { takedowns } = await open({ directory })
    await list('a.deny', 'version: 7\n---\n')
    await eventually(
      () => takedowns.counts().refusedLists,
      (refused) => refused === 1,
    )
    expect(takedowns.isDenied(track.manifest)).toBe(true)
  })

  test('that is not there is told of at the start', async () => {
    await expect(open({ directory: join(directory, 'missing') })).rejects.toThrow('ENOENT')
  })
})

describe('the list for others', () => {
  test('denies what this operator denies by notices, and tells of which', async () => {
    const [track, other] = [await makeTestTrack(), await makeTestTrack()]
    await hold(track, first)
    await hold(other, second)
    const { denylist } = await open()
    const name = notice(office, 1n, first)
    const { text, etag } = await denylist()
    const list = parseDenylist(text)
    expect(list).toMatchObject({ rules: track.blocks.length, bad: 0, ignored: 0 })
    expect(list.header.hints).toEqual({ gateway_status: 410 })
    expect(track.blocks.every(({ cid }) => list.verdict(cid) === 'deny')).toBe(true)
    expect(other.blocks.some(({ cid }) => list.verdict(cid) === 'deny')).toBe(false)
    expect(text).toContain(`# track ${first}, notice ${name} by ${office} (copyright)`)
    expect(text).not.toContain('It is mine')
    expect((await denylist()).etag).toBe(etag)
    say(name, 'notice', undefined)
    const empty = await denylist()
    expect(parseDenylist(empty.text).rules).toBe(0)
    expect(empty.etag).not.toBe(etag)
  })
})
