import type { Address, Subject } from '../names/index.ts'
import { markKind } from './mark.ts'

export function repostKey(author: Address, target: Subject): string {
  return `repost/${author}/${target}`
}

/** Shows a track or playlist to those who follow the author, or no longer. */
export const repostKind = markKind(9, repostKey)
