import { type Address, subjectOf } from '@hexachord/protocol/names'
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { compareEntry } from '../checking/compare-entry.ts'
import { createTestDatabase, type TestDatabase } from '../fixtures/database.ts'
import { actedLog, rules } from '../fixtures/synthetic-network.ts'
import { createTestIndex, published, type TestIndex } from '../fixtures/test-index.ts'

// Databases are made and dropped on machines that do other things as well.
jest.setTimeout(60_000)

const guido: Address = `0x${'a1'.repeat(20)}`
const office: Address = `0x${'0f'.repeat(20)}`
const stranger: Address = `0x${'5e'.repeat(20)}`
const claimed = subjectOf(guido, 7n)
const other = subjectOf(guido, 8n)
const notice = subjectOf(office, 1n)

let database: TestDatabase
let catalogue: TestIndex
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())
beforeEach(async () => {
  catalogue = await createTestIndex(database)
})

const about = { prev: null, track: claimed, ground: 'copyright', statement: 'It is ours' }
const publish = (content: object = about, subject = notice) =>
  catalogue.put(
    actedLog({
      author: subject.startsWith(office) ? office : stranger,
      kind: 'notice',
      subject,
      content: { ...content },
    }),
  )
const withdraw = async (subject = notice) => {
  const prev = await catalogue.digestOf(subject)
  return catalogue.put(actedLog({ author: office, kind: 'delete', subject, content: { prev } }))
}
const shown = async () => (await catalogue.rows('track ORDER BY id')).map(({ id }) => id)
const takeBack = (blocks: number) => catalogue.index.takeBack(catalogue.index.checkpoint.indexed - blocks)

describe('a notice', () => {
  test('stands among those that are read until it is withdrawn, as it was worded last', async () => {
    await publish({ ...about, contact: 'desk@office.example' })
    await publish({ ...about, prev: await catalogue.digestOf(notice), statement: 'It still is ours' })
    expect(await catalogue.rows('notice')).toMatchObject([
      {
        ...{ id: notice, author: office, track: claimed, ground: 'copyright' },
        ...{ statement: 'It still is ours', contact: null, digest: await catalogue.digestOf(notice) },
      },
    ])
    await withdraw()
    expect(await catalogue.rows('notice')).toEqual([])
    await takeBack(2)
    expect(await catalogue.rows('notice')).toMatchObject([{ contact: 'desk@office.example' }])
    await takeBack(1)
    expect(await catalogue.rows('notice')).toEqual([])
  })

  test('denies nothing where nobody has chosen to honour its author', async () => {
    await catalogue.index.honour([stranger])
    await catalogue.put(await published(claimed))
    await publish()
    expect(await shown()).toEqual([claimed])
  })
})

describe('where its author is honoured', () => {
  beforeEach(async () => {
    await catalogue.index.honour([office])
    await catalogue.put(await published(claimed), await published(other))
  })

  test('its track is not shown, whatever becomes of either, until it is withdrawn', async () => {
    await publish()
    expect(await shown()).toEqual([other])
    const change = { prev: await catalogue.digestOf(claimed), title: 'Under another title' }
    await catalogue.put(await published(claimed, change))
    await publish({ ...about, prev: await catalogue.digestOf(notice), ground: 'other' })
    expect(await catalogue.lastVerdicts(2)).toMatchObject([{ verdict: 'applied' }, { verdict: 'applied' }])
    expect(await shown()).toEqual([other])
    await withdraw()
    expect(await catalogue.rows('track ORDER BY id')).toMatchObject([
      { id: claimed, title: 'Under another title', digest: await catalogue.digestOf(claimed) },
      { id: other },
    ])
  })

  test('a reorganisation takes a notice back, and its withdrawal', async () => {
    await publish()
    await takeBack(1)
    expect(await shown()).toEqual([claimed, other])
    await catalogue.catchUp()
    await withdraw()
    expect(await shown()).toEqual([claimed, other])
    await takeBack(1)
    expect(await shown()).toEqual([other])
    // The track with them.
    await takeBack(3)
    expect(await shown()).toEqual([])
    await catalogue.catchUp()
    expect(await shown()).toEqual([claimed, other])
  })

  test('a track may be denied before it exists, and be published, noticed and cleared in one range', async () => {
    const later = subjectOf(guido, 9n)
    await publish({ ...about, track: later })
    await catalogue.put(await published(later))
    expect(await shown()).toEqual([claimed, other])
    const soon = subjectOf(guido, 10n)
    const second = subjectOf(office, 2n)
    await catalogue.put(
      actedLog({ author: office, kind: 'notice', subject: second, content: { ...about, track: soon } }),
      await published(soon),
      actedLog({
        ...{ author: office, kind: 'delete', subject: notice },
        content: { prev: await catalogue.digestOf(notice) },
      }),
    )
    expect(await shown()).toEqual([claimed, other, later])
  })

  test('a second notice keeps it denied when the first is withdrawn, and one by a stranger does not', async () => {
    const second = subjectOf(office, 2n)
    await publish()
    await publish(about, second)
    await publish(about, subjectOf(stranger, 1n))
    await withdraw()
    expect(await shown()).toEqual([other])
    await withdraw(second)
    expect(await shown()).toEqual([claimed, other])
  })

  test('a notice about what is no track denies nothing, and a deleted track does not come back', async () => {
    const playlist = subjectOf(guido, 20n)
    await catalogue.put(
      actedLog({
        author: guido,
        kind: 'playlist',
        subject: playlist,
        content: { prev: null, title: 'Hymns' },
      }),
    )
    await publish({ ...about, track: playlist })
    expect(await catalogue.rows('playlist')).toMatchObject([{ id: playlist }])
    await publish(about, subjectOf(office, 2n))
    const prev = await catalogue.digestOf(claimed)
    await catalogue.put(actedLog({ author: guido, kind: 'delete', subject: claimed, content: { prev } }))
    await withdraw(subjectOf(office, 2n))
    expect(await shown()).toEqual([other])
  })

  test('the choice is kept by a restart and a rebuild, and nothing stored counts as wrong', async () => {
    await publish()
    expect(await catalogue.reopen()).toBe('nothing')
    await catalogue.remake()
    expect(await shown()).toEqual([other])
    await database.postgres.query(`DELETE FROM table_version WHERE name IN ('track', 'notice')`)
    expect(await catalogue.reopen()).toEqual(['track', 'notice'])
    expect(await shown()).toEqual([other])
    const compare = (id: string) =>
      database.postgres.transaction((client) =>
        compareEntry(client, rules, `subject/${id}`, new AbortController().signal),
      )
    for (const id of [claimed, other, notice]) expect(await compare(id)).toEqual([])
    await database.postgres.query('DELETE FROM honoured')
    expect(await compare(claimed)).toEqual([{ where: 'table', name: `track ${claimed}` }])
  })

  test('another choice shows and denies at once, and is no part of the state', async () => {
    await publish()
    const { checkpoint } = catalogue.index
    await catalogue.index.honour([])
    expect(await shown()).toEqual([claimed, other])
    await catalogue.index.honour([stranger, office])
    expect(await shown()).toEqual([other])
    expect(catalogue.index.checkpoint).toEqual(checkpoint)
  })

  test('those who make more of tracks hear of it, and those who keep answers', async () => {
    const { postgres } = database
    const version = async () =>
      (await catalogue.rows(`(SELECT xmin::text FROM table_version WHERE name = 'track') AS v`))[0]
    for (const change of [() => publish(), () => withdraw()]) {
      await postgres.query('TRUNCATE catalogue_change, ranking_change, fingerprint_due')
      const before = await version()
      await change()
      expect(await catalogue.rows('catalogue_change')).toMatchObject([{ author: guido, subject: claimed }])
      expect(await catalogue.rows('ranking_change')).toMatchObject([{ track: claimed }])
      expect(await catalogue.rows('fingerprint_due')).toMatchObject([{ track: claimed, at_ms: 0 }])
      expect(await version()).not.toEqual(before)
    }
  })
})
