import assert from 'node:assert/strict'
import { decodeCursor, encodeCursor } from '../../../discovery-provider/reading/cursor.ts'
import { nameInUrl } from '../../../discovery-provider/reading/resolve.ts'
import { listKey } from '../../../discovery-provider/reading/tracks.ts'
import { never, problems, type Target, textTarget } from '../target.ts'

export async function targets(): Promise<readonly Target[]> {
  return [
    textTarget({
      name: 'discovery-provider/cursor',
      seeds: [encodeCursor([1_700_000_000_000, `0x${'a1'.repeat(20)}-7`])],
      refuses: problems(400),
      read: (text) => assertSame(decodeCursor(listKey, text)),
    }),
    textTarget({
      name: 'discovery-provider/cursor-inside',
      seeds: [JSON.stringify([1_700_000_000_000, `0x${'a1'.repeat(20)}-7`])],
      refuses: problems(400),
      read: (text) => assertSame(decodeCursor(listKey, Buffer.from(text).toString('base64url'))),
    }),
    textTarget({
      name: 'discovery-provider/resolve',
      seeds: [
        `https://music.example/tracks/0x${'a1'.repeat(20)}-7`,
        `https://music.example/#/users/0x${'a1'.repeat(20)}`,
        'https://music.example/@guido/%40x?a=b',
      ],
      refuses: never,
      read(text) {
        // The route refuses what is no URL before it gets here.
        if (!URL.canParse(text)) return
        const name = nameInUrl(text)
        if (name && 'handle' in name) assert.match(name.handle, /^[a-z0-9_]{1,30}$/)
      },
    }),
  ]
}

function assertSame(row: readonly [number, string]): void {
  assert.equal(encodeCursor(decodeCursor(listKey, encodeCursor(row))), encodeCursor(row))
}
