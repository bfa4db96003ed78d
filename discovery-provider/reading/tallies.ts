import { reactionPrefix } from '../projections/comments.ts'

/** By what is counted; what there is none of is not there. */
export type Tallies = Readonly<Record<string, number>>

/** Selects all that is counted of a subject, as {@link Tallies}. @param subject a column, such as `t.id` */
export function talliesOf(subject: string): string {
  return `(SELECT coalesce(jsonb_object_agg(counted.what, counted.total), '{}')
    FROM tally counted WHERE counted.subject = ${subject})`
}

export function reactionsIn(tallies: Tallies): Record<string, number> {
  const found = Object.entries(tallies).filter(([what]) => what.startsWith(reactionPrefix))
  return Object.fromEntries(found.map(([what, total]) => [what.slice(reactionPrefix.length), total]))
}
