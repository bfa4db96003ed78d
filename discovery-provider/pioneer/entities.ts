import type { Address, Subject } from '@hexachord/protocol/names'
import type { PlaylistSummary, Track, User } from '@hexachord/protocol/rest'
import { isOpen } from '../reading/closed-audio.ts'
import type { Database } from '../reading/entity.ts'
import { releasedUntil } from '../reading/related-tracks.ts'
import { readUsers } from '../reading/users.ts'
import { opaqueSubject, opaqueUser } from './opaque-ids.ts'
import { handleOf, playlistPermalink, trackPermalink } from './permalinks.ts'
import type { PioneerPlaylist, PioneerTrack, PioneerUser } from './shapes.ts'

/** Entities in the pioneer's shapes, a page at a time: each takes as many queries for one as for a hundred. */
export type Entities = {
  tracks(tracks: readonly Track[]): Promise<PioneerTrack[]>
  playlists(playlists: readonly PlaylistSummary[]): Promise<PioneerPlaylist[]>
  users(users: readonly User[]): Promise<PioneerUser[]>
}

/** @param publicUrl origin under which others reach the provider
 * @param now ms */
export function createEntities({
  database,
  publicUrl,
  now,
}: {
  database: Database
  publicUrl: string
  now: () => number
}): Entities {
  /** In all sizes that apps ask for. */
  function artworkAt(path: string) {
    const url = `${publicUrl}/v1/${path}`
    return { '150x150': url, '480x480': url, '1000x1000': url }
  }

  async function users(found: readonly User[]): Promise<PioneerUser[]> {
    const counts = await readCounts(
      database,
      found.map(({ id }) => id),
    )
    return found.map((user) => ({
      id: opaqueUser(user.id),
      handle: handleOf(user),
      name: user.name ?? handleOf(user),
      bio: user.bio,
      location: null,
      website: user.links[0] ?? null,
      profile_picture: user.picture === null ? null : artworkAt(`users/${user.id}/picture`),
      cover_photo: null,
      album_count: counts.get(user.id)?.albums ?? 0,
      playlist_count: counts.get(user.id)?.playlists ?? 0,
      track_count: user.trackCount,
      repost_count: counts.get(user.id)?.reposts ?? 0,
      followee_count: user.followingCount,
      follower_count: user.followerCount,
      supporter_count: 0,
      supporting_count: 0,
      total_audio_balance: 0,
      artist_pick_track_id: null,
      is_verified: false,
      verified_with_twitter: false,
      verified_with_instagram: false,
      verified_with_tiktok: false,
      is_deactivated: false,
      is_available: true,
      wallet: user.id,
      erc_wallet: user.id,
      spl_wallet: '',
    }))
  }

  async function authorsOf(
    entities: readonly { readonly author: Address }[],
  ): Promise<(address: Address) => PioneerUser> {
    const addresses = [...new Set(entities.map(({ author }) => author))]
    const shown = await users(await readUsers(database, addresses, now(), { includeUnknown: true }))
    const byAddress = new Map(shown.map((user) => [user.wallet, user]))
    return (address) => {
      const user = byAddress.get(address)
      if (user === undefined) throw new Error(`${address} was asked for`)
      return user
    }
  }

  return {
    users,

    async tracks(tracks) {
      const authorOf = await authorsOf(tracks)
      const plays = await readPlays(
        database,
        tracks.map(({ id }) => id),
      )
      const isScheduled = tracks.some(({ releaseAtMs }) => releaseAtMs !== null)
      const untilMs = isScheduled ? await releasedUntil(database, now()) : now()
      return tracks.map((track) => {
        const user = authorOf(track.author)
        const isOut = track.releaseAtMs === null || track.releaseAtMs <= untilMs
        const isPlayable = isOut && isOpen(track)
        return {
          id: opaqueSubject(track.id),
          user_id: user.id,
          user,
          title: track.title,
          description: track.description,
          genre: track.genre ?? '',
          mood: track.mood,
          tags: track.tags.length === 0 ? null : track.tags.join(','),
          isrc: track.isrc,
          license: track.licence,
          duration: Math.round(track.durationMs / 1000),
          release_date: new Date(track.releaseAtMs ?? track.createdAtMs).toISOString(),
          permalink: trackPermalink(user.handle, track),
          artwork: artworkAt(`tracks/${track.id}/cover`),
          track_cid: track.manifest,
          orig_file_cid: null,
          is_original_available: false,
          is_downloadable: isPlayable,
          is_streamable: isPlayable,
          is_unlisted: track.unlisted,
          access: { stream: isPlayable, download: isPlayable },
          remix_of:
            track.remixOf.length === 0
              ? null
              : { tracks: track.remixOf.map((parent) => ({ parent_track_id: opaqueSubject(parent.track) })) },
          play_count: plays.get(track.id) ?? 0,
          repost_count: track.repostCount,
          favorite_count: track.saveCount,
          comment_count: track.commentCount,
        }
      })
    },

    async playlists(playlists) {
      const authorOf = await authorsOf(playlists)
      return playlists.map((playlist) => {
        const user = authorOf(playlist.author)
        const timestamp = Math.floor(playlist.updatedAtMs / 1000)
        return {
          id: opaqueSubject(playlist.id),
          user_id: user.id,
          user,
          playlist_name: playlist.title,
          description: playlist.description,
          is_album: playlist.album,
          is_private: playlist.unlisted,
          is_image_autogenerated: false,
          permalink: playlistPermalink(user.handle, playlist),
          artwork: playlist.cover === null ? null : artworkAt(`playlists/${playlist.id}/cover`),
          playlist_contents: playlist.trackIds.map((track) => ({
            track_id: opaqueSubject(track),
            timestamp,
            metadata_timestamp: timestamp,
          })),
          track_count: playlist.trackIds.length,
          total_play_count: 0,
          repost_count: playlist.repostCount,
          favorite_count: playlist.saveCount,
          access: { stream: true, download: true },
        }
      })
    },
  }
}

type Counts = { readonly albums: number; readonly playlists: number; readonly reposts: number }

/** Statement of how much each author shows that is not told by its own entry. */
export function countsQuery(authors: readonly Address[]): { text: string; values: unknown[] } {
  return {
    text: `SELECT asked.id,
        (SELECT count(*)::int FROM playlist p WHERE p.author = asked.id AND NOT p.unlisted AND p.album) AS albums,
        (SELECT count(*)::int FROM playlist p WHERE p.author = asked.id AND NOT p.unlisted AND NOT p.album) AS playlists,
        (SELECT count(*)::int FROM repost r WHERE r.author = asked.id) AS reposts
      FROM unnest($1::text[]) AS asked (id)`,
    values: [authors],
  }
}

async function readCounts(
  database: Database,
  authors: readonly Address[],
): Promise<ReadonlyMap<string, Counts>> {
  if (authors.length === 0) return new Map()
  const { text, values } = countsQuery(authors)
  const { rows } = await database.query<Counts & { id: string }>(text, values)
  return new Map(rows.map((row) => [row.id, row]))
}

/** Statement of how often each track was played, as players have told this provider. */
export function playsQuery(tracks: readonly Subject[]): { text: string; values: unknown[] } {
  return {
    text: `SELECT p.track, sum(p.count)::bigint AS plays FROM play p WHERE p.track = ANY ($1) GROUP BY p.track`,
    values: [tracks],
  }
}

async function readPlays(
  database: Database,
  tracks: readonly Subject[],
): Promise<ReadonlyMap<string, number>> {
  if (tracks.length === 0) return new Map()
  const { text, values } = playsQuery(tracks)
  const { rows } = await database.query<{ track: string; plays: number }>(text, values)
  return new Map(rows.map(({ track, plays }) => [track, plays]))
}
