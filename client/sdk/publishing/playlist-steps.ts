import type { Subject } from '@hexachord/protocol/names'

/** One change of a playlist's order, as an action carries it. */
export type PlaylistStep = {
  readonly remove: readonly Subject[]
  readonly add: readonly { readonly track: Subject; readonly at: number }[]
}

/** So many names fit into the content of one action, beside title and description. */
export const namesPerStep = 60

/** What brings a playlist into an order: the tracks that are wanted, and behind them whatever else is in it. Pure.
 * @param wanted each once
 * @returns steps to be taken one after the other; none when it is so already */
export function playlistSteps(current: readonly Subject[], wanted: readonly Subject[]): PlaylistStep[] {
  let kept = 0
  while (kept < wanted.length && current[kept] === wanted[kept]) kept++
  const missing = wanted.slice(kept).map((track, index) => ({ track, at: kept + index }))
  const names = new Set(wanted)
  const misplaced = missing.length > 0 ? current.slice(kept).filter((track) => names.has(track)) : []
  const steps: PlaylistStep[] = []
  for (let at = 0; at < misplaced.length; at += namesPerStep) {
    steps.push({ remove: misplaced.slice(at, at + namesPerStep), add: [] })
  }
  for (let at = 0; at < missing.length; at += namesPerStep) {
    steps.push({ remove: [], add: missing.slice(at, at + namesPerStep) })
  }
  return steps
}
