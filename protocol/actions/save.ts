import type { Address, Subject } from '../names/index.ts'
import { markKind } from './mark.ts'

export function saveKey(author: Address, target: Subject): string {
  return `save/${author}/${target}`
}

/** Keeps a track or playlist among the author's favourites, or no longer. Public, as all that stands on the chain. */
export const saveKind = markKind(8, saveKey)
