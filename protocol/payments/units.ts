import type { LoadedTrack } from '../manifests/index.ts'
import { unitMs } from './terms.ts'

/**
 * Which unit of a track's time each block is paid as, of all renditions alike: whoever changes the rendition, seeks or
 * asks again finds the same unit paid. A segment belongs to the unit in which its middle lies, so that boundaries which
 * stray by a few milliseconds never make one segment cost two units. Blocks that are not in the map cost nothing:
 * manifest, renditions, initialization sections, pictures.
 * @returns by CID, units from 0 on. A block that stands in several places counts as the first of them.
 */
export function unitsOfBlocks({ renditions }: Pick<LoadedTrack, 'renditions'>): Map<string, number> {
  const units = new Map<string, number>()
  for (const { segments, timescale } of renditions) {
    let elapsedTicks = 0
    for (const [ticks, , link] of segments) {
      const middleMs = ((elapsedTicks + ticks / 2) * 1000) / timescale
      const unit = Math.floor(middleMs / unitMs)
      const known = units.get(link['/'])
      if (known === undefined || unit < known) units.set(link['/'], unit)
      elapsedTicks += ticks
    }
  }
  return units
}

/**
 * How many segments of its rendition share the unit of each block: one of six seconds has its unit for itself, one of
 * three is half of it, and fetched as often again.
 * @returns by CID, for the blocks of {@link unitsOfBlocks}
 */
export function partsOfUnits({ renditions }: Pick<LoadedTrack, 'renditions'>): Map<string, number> {
  const units = unitsOfBlocks({ renditions })
  const parts = new Map<string, number>()
  for (const { segments } of renditions) {
    const counts = new Map<number | undefined, number>()
    for (const [, , link] of segments) {
      const unit = units.get(link['/'])
      counts.set(unit, (counts.get(unit) ?? 0) + 1)
    }
    for (const [, , link] of segments) parts.set(link['/'], counts.get(units.get(link['/'])) ?? 1)
  }
  return parts
}

/** How many units a track has: what all of it costs is this many times its price. */
export function unitCount(track: Pick<LoadedTrack, 'renditions'>): number {
  return Math.max(0, ...unitsOfBlocks(track).values()) + 1
}
