import { ActionError, kinds, type TrackContent } from '@hexachord/protocol/actions'
import { type Json, toCanonicalJson } from '@hexachord/protocol/canonical'
import { checked } from '@hexachord/protocol/checked'
import type { Track } from '@hexachord/protocol/rest'

/** What the artist says of a track. Said once, it is public for ever. */
export type TrackDetails = {
  readonly title: string
  readonly artist: string
  readonly album?: string
  readonly genre?: string
  readonly mood?: string
  readonly tags?: readonly string[]
  readonly description?: string
  readonly isrc?: string
  /** SPDX identifier such as `CC-BY-4.0`, or `all-rights-reserved`. */
  readonly licence: string
  /** The artist's own word, given for each track. */
  readonly rightsHeld: true
  readonly unlisted?: boolean
  /** Kept out of lists and players of the network until then. What is said here is public at once all the same. */
  readonly releaseAtMs?: number
  /** What it is made of, each with the words by which that is credited. */
  readonly remixOf?: TrackContent['remixOf']
  /** The track by the same artist of which this is one part; parts had better be unlisted. */
  readonly stemOf?: TrackContent['stemOf']
  readonly credits?: TrackContent['credits']
}

/** To be shown before anything is published. */
export const publishingNotice =
  'What you publish is public for ever: title, artist and the name of the audio stay on the chain, and others may have ' +
  'copied the audio. Deleting ends listings and the duty of operators to hold it; it cannot reach copies of others.'

/** Checks the form of details before any work is done for them: lengths, licence, control characters.
 * @throws ActionError with the name of the field */
export function assertPublishable(details: TrackDetails): void {
  const result = checked(kinds.track.schema, details)
  // What the upload itself will add is missing here.
  const issue = result.error?.issues.find(({ path }) => String(path[0]) in details)
  if (issue) throw new ActionError(`${issue.path.join('.')}: ${issue.message}`)
}

const texts = ['title', 'artist', 'album', 'genre', 'mood', 'description', 'isrc', 'licence'] as const

/** What is said of a track now, as a proposal for what is said of its next version. */
export function detailsOf(track: Track): TrackDetails {
  const { title, artist, licence, tags, unlisted, releaseAtMs, remixOf, stemOf, credits } = track
  const said = texts.flatMap((name) => (track[name] === null ? [] : [[name, track[name]]]))
  return {
    ...(Object.fromEntries(said) as Partial<TrackDetails>),
    ...{ title, artist, licence, rightsHeld: true },
    ...(tags.length > 0 ? { tags } : {}),
    ...(unlisted ? { unlisted } : {}),
    ...(releaseAtMs === null ? {} : { releaseAtMs }),
    ...(remixOf.length > 0 ? { remixOf } : {}),
    ...(stemOf === null ? {} : { stemOf }),
    ...(credits.length > 0 ? { credits } : {}),
  }
}

/** Whether a track says just this already. */
export function saysTheSame(track: Track, details: TrackDetails): boolean {
  return (
    texts.every((name) => (track[name] ?? '') === (details[name] ?? '')) &&
    track.tags.join('\n') === (details.tags ?? []).join('\n') &&
    track.unlisted === (details.unlisted ?? false) &&
    track.releaseAtMs === (details.releaseAtMs ?? null) &&
    same(track.remixOf, details.remixOf ?? []) &&
    same(track.stemOf, details.stemOf ?? null) &&
    same(track.credits, details.credits ?? [])
  )
}

function same(one: Json, other: Json): boolean {
  return toCanonicalJson(one) === toCanonicalJson(other)
}
