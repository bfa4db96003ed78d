import { maximumHoldMs } from '@hexachord/protocol/offers'
import type { ReleasedFile } from '@hexachord/sdk/releasing'
import { InvalidArgumentError } from 'commander'
import { UsageError } from '../settings/index.ts'

const form =
  /^(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)[T ](?<hour>\d\d):(?<minute>\d\d)(?::(?<second>\d\d))? ?(?<zone>Z|[+-]\d\d:\d\d|local)$/

/** `2026-12-24T00:00Z`, with another offset, or `local` for the zone of this machine.
 * @returns ms since 1970 @throws InvalidArgumentError */
export function releaseTime(text: string): number {
  const { zone, ...parts } = form.exec(text)?.groups ?? {}
  if (zone === undefined) {
    throw new InvalidArgumentError(
      'It must be a time with its zone, such as 2026-12-24T00:00Z, 2026-12-24T00:00+01:00, or 2026-12-24T00:00local for that of this machine.',
    )
  }
  const { year, month, day, hour, minute, second = '00' } = parts
  const time = `${year}-${month}-${day}T${hour}:${minute}:${second}`
  // There is no 30 February, which Date would make the 2 March.
  const isOnClocks = new Date(`${time}Z`).toJSON()?.startsWith(time) === true
  const atMs = Date.parse(zone === 'local' ? time : time + zone)
  if (isOnClocks && !Number.isNaN(atMs)) return atMs
  throw new InvalidArgumentError(`There is no such time as ${text}.`)
}

/** Told before anything is sent. One that is past may be of a release that was. @throws UsageError */
export function assertReleasable(
  { release, premium }: { readonly release?: number; readonly premium?: true },
  nowMs: number,
): void {
  if (release === undefined) return
  if (premium) {
    throw new UsageError(
      '--release does not go with --premium: key holders take the keys of a published track only, so that nobody could hear it at its time. Give --premium alone, when its time has come',
    )
  }
  if (release > nowMs + maximumHoldMs) {
    throw new UsageError(
      `--release is at most ${maximumHoldMs / 86_400_000} days ahead; by the clock of this machine it is ${timeInWords(nowMs)}`,
    )
  }
}

type Scheduled = Extract<ReleasedFile, { state: 'scheduled' }>

/** For people, after what else is said of the track. */
export function describeRelease({ title, subject, node, release }: Scheduled): string[] {
  return [
    title,
    subject,
    `released at ${timeInWords(release.holdUntilMs)}, by ${node}`,
    `'hexachord releases' tells how it stands, 'hexachord releases cancel ${release.hash}' withdraws it`,
  ]
}

export function releaseFields({ title, subject, node, release, before }: Scheduled) {
  return { track: subject, title, release: { node, ...release }, before }
}

/** In UTC and, where that is another, by the clock on the wall. */
export function timeInWords(ms: number): string {
  const utc = `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`
  const minutes = -new Date(ms).getTimezoneOffset()
  if (minutes === 0) return utc
  return `${utc} (${new Date(ms + minutes * 60_000).toISOString().slice(0, 16).replace('T', ' ')} here)`
}
