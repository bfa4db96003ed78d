import { encodeCanonicalJson, type Json } from '../canonical/index.ts'
import type { Subject } from '../names/index.ts'
import { maximumPlaylistTracks } from './playlist.ts'
import { maximumContentBytes } from './signed-action.ts'

/** Names that the rule takes in one list of an action. */
export const namesPerAction = 80

/** What a track costs in the content of an action beside its name: `"",` in one list, `{"track":""},` in the other. */
const removalBytes = 3
const additionBytes = 13

const anyHash = `0x${'0'.repeat(64)}`

/** Takes a track out, puts one in at the end, or both with the same track. */
type Move = { readonly remove?: Subject; readonly add?: Subject }

type Content = { readonly [name: string]: Json }

/** The contents of the actions that make of a playlist what is wanted, in order; `prev` is theirs to be given. Pure.
 * Wherever they stop, the playlist holds what it held and what is wanted so far: what is taken out for good goes last, and
 * before only where there would be more tracks than a playlist can have.
 * @param fields said by the first action
 * @param want each track counts once, and at most as many as a playlist can have
 * @returns none where nothing changes */
export function playlistSteps({
  fields,
  have,
  want,
}: {
  fields: Content
  have: readonly Subject[]
  want: readonly Subject[]
}): Content[] {
  const moves = movesTo(have, [...new Set(want)])
  if (moves.length === 0) return Object.keys(fields).length === 0 ? [] : [fields]
  const contents: Content[] = []
  for (let at = 0; at < moves.length; ) {
    const said = contents.length === 0 ? fields : {}
    const fitting = moves.slice(at, at + countFitting(moves, at, said))
    const remove = fitting.flatMap((move) => move.remove ?? [])
    const add = fitting.flatMap((move) => (move.add === undefined ? [] : [{ track: move.add }]))
    contents.push({ ...said, ...(remove.length > 0 && { remove }), ...(add.length > 0 && { add }) })
    at += fitting.length
  }
  return contents
}

function movesTo(have: readonly Subject[], want: readonly Subject[]): Move[] {
  const wanted = new Set(want)
  const present = new Set(have)
  const staying = have.filter((track) => wanted.has(track))
  const leaving = have.filter((track) => !wanted.has(track))
  // What begins as it is wanted stays; all behind it goes to the end, one after the other.
  let same = 0
  while (same < want.length && staying[same] === want[same]) same++
  const moves: Move[] = []
  let count = have.length
  for (const track of want.slice(same)) {
    if (present.has(track)) {
      moves.push({ remove: track, add: track })
      continue
    }
    const [first] = leaving
    if (count === maximumPlaylistTracks && first !== undefined) {
      moves.push({ remove: first })
      leaving.shift()
      count--
    }
    moves.push({ add: track })
    count++
  }
  return [...moves, ...leaving.map((track) => ({ remove: track }))]
}

/** How many moves from a place on one action takes. */
function countFitting(moves: readonly Move[], from: number, said: Content): number {
  let room =
    maximumContentBytes - encodeCanonicalJson({ prev: anyHash, ...said, remove: [], add: [] } as Json).length
  let count = 0
  for (const { remove, add } of moves.slice(from, from + namesPerAction)) {
    if (remove !== undefined) room -= remove.length + removalBytes
    if (add !== undefined) room -= add.length + additionBytes
    if (room < 0) break
    count++
  }
  return count
}
