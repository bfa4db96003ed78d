import assert from 'node:assert/strict'
import { parse as parseQuery } from 'node:querystring'
import { cidOf, parseCid } from '@hexachord/protocol/cids'
import { offeredArchives } from '../../../discovery-provider/archives/offered-archives.ts'
import { decodeCursor, encodeCursor } from '../../../discovery-provider/reading/cursor.ts'
import { nameInUrl } from '../../../discovery-provider/reading/resolve.ts'
import { listKey } from '../../../discovery-provider/reading/tracks.ts'
import { albumOf } from '../../../discovery-provider/subsonic/ids.ts'
import { albumListQuery } from '../../../discovery-provider/subsonic/lists.ts'
import { readParameters } from '../../../discovery-provider/subsonic/parameters.ts'
import { formatOf, render } from '../../../discovery-provider/subsonic/render.ts'
import { answering } from '../answering.ts'
import { named, never, problems, type Target, textTarget } from '../target.ts'

export async function targets(): Promise<readonly Target[]> {
  const root = await cidOf(new Uint8Array([1]), 'dag-json')
  const entry = {
    ...{ epoch: 7, fromBlock: 1, toBlock: 9, root, logs: 3, byteLength: 100 },
    stateHash: `0x${'5a'.repeat(32)}`,
  }
  return [
    textTarget({
      name: 'discovery-provider/archive-list',
      seeds: [
        JSON.stringify({ items: [entry, { ...entry, epoch: 8, fromBlock: 10, toBlock: 20 }], next: null }),
      ],
      refuses: never,
      async read(text) {
        const faults: Error[] = []
        const onFault = (_: string, error: Error) => faults.push(error)
        const offered = await offeredArchives(['https://a.example'], 5, { ...answering(text), onFault })
        const epochs = offered.map(({ epoch }) => epoch)
        assert.deepEqual(
          epochs,
          epochs.toSorted((a, b) => a - b),
        )
        for (const { candidates } of offered) {
          for (const { root, toBlock } of candidates) assert.ok(toBlock > 5 && parseCid(root).cid === root)
        }
        assert.ok(faults.length <= 1)
      },
    }),
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
    textTarget({
      name: 'discovery-provider/subsonic-query',
      seeds: [
        `type=byYear&fromYear=1990&toYear=2000&f=jsonp&callback=a.b&id=al-0x${'a1'.repeat(20)}`,
        `type=byGenre&genre=Hip-Hop&size=500&f=json&id=al-0x${'a1'.repeat(20)}-7&id=tr-1`,
      ],
      refuses: named('SubsonicError'),
      read(query) {
        const parameters = readParameters(parseQuery(query))
        const format = formatOf(parameters)
        if (format.name === 'jsonp') assert.match(format.callback, /^[\w$.]+$/)
        const asked = { parameters, account: `0x${'a1'.repeat(20)}` } as const
        const { values } = albumListQuery(parameters.required('type'), asked, 10, 0)
        assert.ok(values.length <= 4)
        albumOf(parameters.required('id'))
      },
    }),
    textTarget({
      name: 'discovery-provider/subsonic-answer',
      seeds: ['Ut "queant" <laxis> & more', 'Jóga\t🎧'],
      refuses: never,
      read(title) {
        const { body } = render({ format: { name: 'xml' }, serverVersion: '1' }, 'ok', { song: [{ title }] })
        // Nothing that was written by others opens or closes an element, or an attribute.
        assert.match(
          body,
          /^<\?xml [^<>]*>\n<subsonic-response [^<>]*><song title="[^"<>]*"\/><\/subsonic-response>\n$/,
        )
      },
    }),
  ]
}

function assertSame(row: readonly [number, string]): void {
  assert.equal(encodeCursor(decodeCursor(listKey, encodeCursor(row))), encodeCursor(row))
}
