import { type Subject, subjectOf } from '@hexachord/protocol/names'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { account } from '../fixtures/index.ts'
import { type PlaylistStep, playlistSteps } from './index.ts'

const track = (number: number): Subject => subjectOf(account.address, BigInt(number + 1))
const tracks = fc
  .uniqueArray(fc.integer({ min: 0, max: 200 }), { maxLength: 150 })
  .map((numbers) => numbers.map(track))

/** As the rule of the playlist action does it. */
function take(list: readonly Subject[], { remove, add }: PlaylistStep): Subject[] {
  const changed = list.filter((name) => !remove.includes(name))
  for (const { track, at } of add) if (!changed.includes(track)) changed.splice(at, 0, track)
  return changed
}

describe('the steps of a playlist', () => {
  test('lead from any order to the one that is wanted, with what else is in it behind', () => {
    fc.assert(
      fc.property(tracks, tracks, (current, wanted) => {
        const steps = playlistSteps(current, wanted)
        const others = current.filter((name) => !wanted.includes(name))
        expect(steps.reduce(take, [...current])).toEqual([...wanted, ...others])
        for (const { remove, add } of steps)
          expect(Math.max(remove.length, add.length)).toBeLessThanOrEqual(60)
      }),
    )
  })

  test('are none where it is so already, and one where a track is added', () => {
    const list = [0, 1, 2].map(track)
    expect(playlistSteps(list, list)).toEqual([])
    expect(playlistSteps(list, [...list, track(7)])).toEqual([
      { remove: [], add: [{ track: track(7), at: 3 }] },
    ])
  })
})
