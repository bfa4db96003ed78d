import { Problem } from '@hexachord/platform/http'
import { JournalFull } from './journal/index.ts'

/** What a failure to write down means for who pays; anything else comes back as it is. */
export function notWritable(error: unknown): unknown {
  if (!(error instanceof JournalFull)) return error
  return new Problem({
    status: 503,
    slug: 'till-closed',
    title: 'Till closed',
    detail: 'this node cannot write down payments now, and takes none; nothing that was paid is lost',
    headers: { 'Retry-After': '5' },
    cause: error,
  })
}
