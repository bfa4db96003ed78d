import { describe, expect, test } from '@jest/globals'
import { encodeCanonicalJson, type Json } from '../canonical/index.ts'
import { type Hash, type Subject, subjectOf } from '../names/index.ts'
import { kinds, maximumContentBytes, maximumPlaylistTracks, playlistSteps } from './index.ts'

const prev: Hash = `0x${'ab'.repeat(32)}`
/** As long as names are. */
const track = (n: number): Subject => subjectOf(`0x${'b2'.repeat(20)}`, 10n ** 28n + BigInt(n))
const tracks = (from: number, count: number) => Array.from({ length: count }, (_, n) => track(from + n))
/** Takes the longest that a field may be, in bytes. */
const longFields = { title: 'ღ'.repeat(200), description: 'ღ'.repeat(2_000) }

/** What a playlist holds after each of some steps, by the rule in words of its own. */
function listsAfter(have: readonly Subject[], steps: readonly { [name: string]: Json }[]): Subject[][] {
  const lists: Subject[][] = []
  let list = [...have]
  for (const step of steps) {
    const { data, error } = kinds.playlist.schema.safeParse({ prev, ...step })
    expect(error).toBeUndefined()
    expect(encodeCanonicalJson({ prev, ...step }).length).toBeLessThanOrEqual(maximumContentBytes)
    const { remove, add } = data as { remove?: Subject[]; add?: { track: Subject }[] }
    list = list.filter((track) => !remove?.includes(track))
    for (const { track } of add ?? []) if (!list.includes(track)) list.push(track)
    expect(list.length).toBeLessThanOrEqual(maximumPlaylistTracks)
    lists.push(list)
  }
  return lists
}

describe('the steps that change a playlist', () => {
  test('are one action where all fits into it: what goes and what comes', () => {
    const steps = playlistSteps({
      fields: { title: 'Evenings' },
      have: tracks(0, 20),
      want: [track(30), ...tracks(5, 15).reverse(), track(31)],
    })
    expect(steps).toHaveLength(1)
    expect(steps[0]).toMatchObject({ title: 'Evenings' })
    expect(listsAfter(tracks(0, 20), steps)).toEqual([[track(30), ...tracks(5, 15).reverse(), track(31)]])
  })

  test('are none where nothing changes, and one with the fields alone', () => {
    expect(playlistSteps({ fields: {}, have: tracks(0, 3), want: tracks(0, 3) })).toEqual([])
    const fields = { title: 'Evenings' }
    expect(playlistSteps({ fields, have: tracks(0, 3), want: tracks(0, 3) })).toEqual([fields])
  })

  test('say nothing of tracks that stay where they are', () => {
    expect(playlistSteps({ fields: {}, have: tracks(0, 1_500), want: [...tracks(0, 1_501)] })).toEqual([
      { add: [{ track: track(1_500) }] },
    ])
    const want = tracks(0, 1_500).filter((name) => name !== track(700))
    expect(playlistSteps({ fields: {}, have: tracks(0, 1_500), want })).toEqual([{ remove: [track(700)] }])
  })

  test.each([
    ['in another order', tracks(0, 200), tracks(0, 200).reverse()],
    ['others, all of them', tracks(0, 200), tracks(500, 200)],
    ['fewer', tracks(0, 200), tracks(90, 20)],
    ['none', tracks(0, 200), []],
    ['some of them twice', tracks(0, 2), [...tracks(1, 2), ...tracks(0, 3)]],
    [
      'as many as there can be, in another order',
      tracks(0, maximumPlaylistTracks),
      tracks(0, maximumPlaylistTracks).reverse(),
    ],
  ])('leave all tracks there that were there, wherever they stop: %s', (_, have, want) => {
    const steps = playlistSteps({ fields: longFields, have, want })
    const lists = listsAfter(have, steps)
    const wanted = [...new Set(want)]
    expect(lists.at(-1)).toEqual(wanted)
    // Once something that is not wanted any more is missing, all that is wanted is there.
    for (const list of lists) {
      const held = new Set(list)
      const lost = have.filter((track) => !held.has(track))
      expect(lost.filter((track) => wanted.includes(track))).toEqual([])
      if (lost.length > 0) expect(wanted.filter((track) => !held.has(track))).toEqual([])
    }
  })

  test('make room where a playlist would hold too many, by what is not wanted any more', () => {
    const [have, want] = [tracks(0, maximumPlaylistTracks - 10), tracks(5_000, maximumPlaylistTracks)]
    const lists = listsAfter(have, playlistSteps({ fields: {}, have, want }))
    expect(lists.at(-1)).toEqual(want)
    for (const list of lists) expect(list.length).toBeGreaterThanOrEqual(maximumPlaylistTracks - 11)
  })
})
