import { subjectOf } from '@hexachord/protocol/names'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import * as z from 'zod'
import {
  bjork,
  guido,
  hymn,
  joga,
  type ServedCatalogue,
  serveCatalogue,
} from '../fixtures/served-catalogue.ts'
import { actedLog, operators, trackContent } from '../fixtures/synthetic-network.ts'
import { countPlays } from '../plays/count-plays.ts'
import { rankChanged } from '../ranking/index.ts'
import type { Database } from '../reading/entity.ts'
import { createReadTyped } from '../reading/typed-text.ts'
import { findTracks } from './lists.ts'
import { dataOf, pioneerTrackSchema } from './shapes.ts'
import { filterOf } from './track-filters.ts'

// A database is made and filled on a machine that does other things as well.
jest.setTimeout(60_000)

// The second one has left.
const by = operators.filter((_, index) => index !== 1)
const waltz = subjectOf(guido, 61n)
const march = subjectOf(bjork, 62n)

let served: ServedCatalogue
beforeAll(async () => {
  served = await serveCatalogue()
  const fields = { prev: null, artist: 'Ensemble' }
  const first = { ...fields, title: 'Alea waltz', genre: 'Jazz', mood: 'Calm', tags: ['bpm:90', 'key:Bbm'] }
  const second = {
    ...fields,
    title: 'Alea march',
    genre: 'Drum & Bass',
    mood: 'Fiery',
    tags: ['bpm:174.5', 'key:C'],
  }
  await served.catalogue.put(
    actedLog({
      author: guido,
      kind: 'track',
      subject: waltz,
      content: await trackContent(waltz, first, { by }),
    }),
    actedLog({
      author: bjork,
      kind: 'track',
      subject: march,
      content: await trackContent(march, second, { by }),
    }),
  )
})
afterAll(() => served.close())

async function titles(path: string): Promise<string[]> {
  const { data } = await served.read(`/pioneer/v1/tracks/${path}`, dataOf(z.array(pioneerTrackSchema)))
  return data.map(({ title }) => title)
}

describe('a search for tracks', () => {
  test('shows nothing that is unlisted after it was found', async () => {
    const { postgres } = served.catalogue.database
    const database: Database = {
      async query(statement, values) {
        const isLast = typeof statement !== 'string' && statement.name.startsWith('tracks-')
        if (isLast) await postgres.query('UPDATE track SET unlisted = true WHERE id = $1', [waltz])
        return postgres.query(statement, values)
      },
    }
    const finding = { database, readTyped: createReadTyped(postgres) }
    const asked = { query: 'waltz', offset: 0, limit: 20 }
    expect(await titles('search?query=waltz')).toEqual(['Alea waltz'])
    expect(await findTracks(finding, asked, filterOf({}))).toEqual([])
    await postgres.query('UPDATE track SET unlisted = false WHERE id = $1', [waltz])
  })

  test.each([
    ['', ['Alea march', 'Alea waltz']],
    ['genre=jazz', ['Alea waltz']],
    ['genre=Jazz&genre=Drum%20%26%20Bass', ['Alea march', 'Alea waltz']],
    ['genre=Techno', []],
    ['genre=', ['Alea march', 'Alea waltz']],
    ['mood=fiery', ['Alea march']],
    ['mood=Fiery&genre=Jazz', []],
    ['key=B%20flat%20minor', ['Alea waltz']],
    ['key=A%23m', ['Alea waltz']],
    ['key=C%20Major', ['Alea march']],
    ['key=C%20minor&key=C%20major', ['Alea march']],
    ['key=H', []],
    ['bpm_min=100', ['Alea march']],
    ['bpm_max=100', ['Alea waltz']],
    ['bpm_min=90&bpm_max=174.5', ['Alea march', 'Alea waltz']],
    ['bpm_min=91&bpm_max=174', []],
    ['sort_method=popular&only_downloadable=false', ['Alea march', 'Alea waltz']],
  ])('narrowed by %o', async (filters, expected) => {
    expect((await titles(`search?query=alea&${filters}`)).sort()).toEqual(expected)
  })

  test('is paged after it is narrowed', async () => {
    const [first] = await titles('search?query=alea&bpm_min=80&limit=1')
    const [second] = await titles('search?query=alea&bpm_min=80&limit=1&offset=1')
    expect([first, second].sort()).toEqual(['Alea march', 'Alea waltz'])
  })

  test.each(['bpm_min=fast', 'genre=a%00b', `mood=${'x'.repeat(61)}`])('refuses %o', async (filter) => {
    const path = `/pioneer/v1/tracks/search?query=alea&${filter}`
    expect(await served.problem(path)).toMatchObject({ status: 400 })
  })
})

test('what is played most comes first among trending tracks, of all genres and of one', async () => {
  const { postgres } = served.catalogue.database
  const day = new Date().toISOString().slice(0, 10)
  const plays = [...Array(2).fill(hymn), ...Array(40).fill(joga), ...Array(9).fill(waltz)]
  await countPlays(
    postgres,
    plays.map((track) => ({ track, day })),
    Date.now(),
  )
  await rankChanged(postgres, { nowMs: Date.now(), batches: 10 })
  const ranked = ['Jóga', 'Alea waltz', 'Ut queant laxis']
  // What nobody has played is not among them.
  for (const time of ['week', 'month', 'year', 'allTime']) {
    expect([time, await titles(`trending?time=${time}`)]).toEqual([time, ranked])
  }
  expect(await titles('trending?limit=1&offset=1')).toEqual(['Alea waltz'])
  expect(await titles('trending?genre=Hip-Hop')).toEqual(['Ut queant laxis'])
  expect(await titles('trending?genre=Electronic&time=month')).toEqual(['Jóga'])
})
