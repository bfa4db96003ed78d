import { type Address, type Subject, subjectOf } from '@hexachord/protocol/names'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { allNamed, type ParsedElement, parseXml, textOf } from '../fixtures/parse-xml.ts'
import {
  album,
  bjork,
  drafts,
  gone,
  guido,
  hidden,
  hymn,
  joga,
  type ServedCatalogue,
  serveCatalogue,
  silent,
} from '../fixtures/served-catalogue.ts'
import { actedLog, operators, trackContent } from '../fixtures/synthetic-network.ts'
import { feedGuid } from './feed-guid.ts'

// A database is made and filled on a machine that does other things as well.
jest.setTimeout(60_000)

const site = 'https://discovery.example'
const strange: Address = `0x${'e5'.repeat(20)}`
const known = subjectOf(strange, 1n)
const mixed = subjectOf(strange, 2n)
const title = `]]></title> & "\u202e🎵" \ufffe'`
const seen = title.replace('\ufffe', '\ufffd')

let served: ServedCatalogue
beforeAll(async () => {
  served = await serveCatalogue()
  const { track } = await exampleTrack({ original: true })
  const fields = { prev: null, title, artist: '<Σ> & co', isrc: 'DEA012345678', description: 'two\nlines' }
  const content = await trackContent(known, fields, { manifest: track.cid })
  const add = [hidden, known, gone, hymn].map((id) => ({ track: id }))
  await served.catalogue.put(
    actedLog({ author: strange, kind: 'track', subject: known, content }),
    actedLog({
      author: strange,
      kind: 'playlist',
      subject: mixed,
      content: { prev: null, title: 'Mixed', add },
    }),
  )
})
afterAll(() => served.close())

async function xml(path: string, type: string): Promise<ParsedElement> {
  const response = await served.get(path)
  const text = await response.text()
  expect([response.status, response.headers.get('content-type'), text]).toEqual([200, type, text])
  return parseXml(text)
}
const feed = (path: string) => xml(path, 'application/rss+xml; charset=utf-8')
const channelOf = ({ children: [channel] }: ParsedElement) => channel as ParsedElement
const audio = (id: string) => `${site}/v1/tracks/${id}/audio.m4a`

describe('a feed', () => {
  test('tells of each track with the true length of its file, other files, and how to check them', async () => {
    const url = `/v1/users/${strange}/feed.xml`
    const channel = channelOf(await feed(url))
    expect(textOf('podcast:guid', channel)).toBe(feedGuid(site + url))
    expect(textOf('podcast:medium', channel)).toBe('music')
    expect(allNamed('atom:link', channel)[0]?.attributes).toMatchObject({ href: site + url, rel: 'self' })
    const [item, ...others] = allNamed('item', channel)
    if (!item) throw new Error('there is a track')
    expect(others).toEqual([])
    expect(textOf('title', item)).toBe(seen)
    expect(textOf('itunes:author', item)).toBe('<Σ> & co')
    expect(textOf('guid', item)).toBe(known)
    expect(textOf('itunes:duration', item)).toBe('180')
    expect(Date.parse(textOf('pubDate', item) ?? '')).toBeGreaterThan(0)
    expect(allNamed('enclosure', item)[0]?.attributes).toEqual({
      url: audio(known),
      length: '4108',
      type: 'audio/mp4',
    })
    const alternatives = allNamed('podcast:alternateEnclosure', item).map(({ attributes, children }) => ({
      ...attributes,
      uri: children[0]?.attributes.uri,
      sri: children[1]?.attributes.value,
    }))
    const { track } = await exampleTrack({ original: true })
    expect(alternatives).toEqual([
      expect.objectContaining({
        title: 'flac',
        length: '8974',
        codecs: 'fLaC',
        uri: `${audio(known)}?rendition=flac`,
      }),
      expect.objectContaining({ title: 'aac-320', length: '4108', default: 'true', bitrate: '318512' }),
      expect.objectContaining({ title: 'aac-160', length: '2320', codecs: 'mp4a.40.2' }),
      expect.objectContaining({
        type: 'application/vnd.apple.mpegurl',
        uri: `${site}/v1/tracks/${known}/stream`,
      }),
      expect.objectContaining({
        uri: `ipfs://${track.cid}`,
        length: String(track.byteLength),
        sri: expect.stringMatching(/^sha256-[A-Za-z0-9+/]{43}=$/),
      }),
      expect.objectContaining({
        title: 'Original',
        length: '2148',
        sri: `sha256-${Buffer.from('1258a5d5133b7d9fabb2cd91802a64ffbb8c129930bd2a4a070c3745dfe9eea4', 'hex').toString('base64')}`,
      }),
    ])
  })

  test('says 0 where no holder tells the length, and is asked for again then', async () => {
    const response = await served.get(`/v1/users/${guido}/feed.xml`)
    expect(response.headers.get('cache-control')).toBe('public, no-cache')
    const items = allNamed('item', parseXml(await response.text()))
    expect(
      items.map((item) => [textOf('guid', item), allNamed('enclosure', item)[0]?.attributes.length]),
    ).toEqual([[hymn, '0']])
  })

  test('has neither what is unlisted nor what was deleted, in order', async () => {
    const channel = channelOf(await feed(`/v1/playlists/${mixed}/feed.xml`))
    const items = allNamed('item', channel)
    expect(items.map((item) => [textOf('guid', item), textOf('itunes:episode', item)])).toEqual([
      [known, '1'],
      [hymn, '2'],
    ])
    expect(textOf('itunes:block', channel)).toBeUndefined()
    expect(textOf('itunes:block', channelOf(await feed(`/v1/playlists/${drafts}/feed.xml`)))).toBe('Yes')
  })

  test('of a playlist can be a list of tracks in the feeds of their artists', async () => {
    const channel = channelOf(await feed(`/v1/playlists/${mixed}/feed.xml?items=remote`))
    expect(textOf('podcast:medium', channel)).toBe('musicL')
    const feedUrl = `${site}/v1/users/${strange}/feed.xml`
    expect(allNamed('podcast:remoteItem', channel)[0]?.attributes).toEqual({
      ...{ feedGuid: feedGuid(feedUrl), feedUrl, itemGuid: known, medium: 'music' },
    })
  })

  test('is sent once to whom has it, and is not found where there is nothing', async () => {
    const path = `/v1/playlists/${album}/feed.xml`
    const response = await served.get(path)
    const etag = response.headers.get('etag') ?? ''
    expect((await served.get(path, { 'if-none-match': etag })).status).toBe(304)
    const head = await served.get(path, {}, 'HEAD')
    expect([head.status, head.headers.get('etag')]).toEqual([200, etag])
    expect(head.headers.get('content-length')).toBe(String(Buffer.byteLength(await response.text())))
    for (const kind of ['feed.xml', 'tracks.m3u8', 'tracks.xspf']) {
      expect((await served.problem(`/v1/users/${silent}/${kind}`)).status).toBe(404)
      expect((await served.problem(`/v1/playlists/${joga}/${kind}`)).status).toBe(404)
    }
    expect((await served.problem(`/v1/users/nobody/feed.xml`)).status).toBe(400)
  })
})

describe('a playlist as a file', () => {
  test('is an M3U of whole tracks', async () => {
    const response = await served.get(`/v1/playlists/${mixed}/tracks.m3u8`)
    expect(response.headers.get('content-type')).toBe('audio/x-mpegurl; charset=utf-8')
    expect((await response.text()).split('\n')).toEqual([
      '#EXTM3U',
      '#PLAYLIST:Mixed',
      `#EXTINF:180,<Σ> & co - ${title}`,
      audio(known),
      '#EXTINF:180,Guido - Ut queant laxis',
      audio(hymn),
      '',
    ])
  })

  test('is an XSPF with titles', async () => {
    const list = await xml(`/v1/users/${bjork}/tracks.xspf`, 'application/xspf+xml; charset=utf-8')
    expect(list.attributes).toMatchObject({ version: '1', xmlns: 'http://xspf.org/ns/0/' })
    expect(textOf('title', list)).toBe('Björk Guðmundsdóttir')
    const [track, ...others] = allNamed('track', list)
    expect(others).toEqual([])
    expect(track?.children.map(({ name, text }) => [name, text])).toEqual([
      ['location', audio(joga)],
      ['identifier', expect.stringMatching(/^ipfs:\/\/b/)],
      ['title', 'Jóga'],
      ['creator', 'Björk'],
      ['info', `${site}/tracks/${joga}`],
      ['album', 'Homogenic'],
      ['duration', '180000'],
    ])
  })
})

describe('a page', () => {
  async function page(path: string) {
    const response = await served.get(path)
    const text = await response.text()
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    const tags = [...text.matchAll(/<(meta|link) ([^>]*)>/g)].map(([, , attributes = '']) =>
      Object.fromEntries(
        [...attributes.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
      ),
    )
    const metas = Object.fromEntries(tags.map(({ property, name, content }) => [property ?? name, content]))
    const json = /<script type="application\/ld\+json">(.*?)<\/script>/s.exec(text)?.[1] ?? ''
    const alternates = Object.fromEntries(
      tags.filter(({ rel }) => rel === 'alternate').map(({ type, href }) => [type, href]),
    )
    return { response, text, metas, data: JSON.parse(json) as Record<string, unknown>, alternates }
  }

  test('of a track shows its card everywhere, and is one that runs nothing', async () => {
    const { response, text, metas, data, alternates } = await page(`/tracks/${known}`)
    expect(text).not.toContain(']]></title>')
    expect(metas).toMatchObject({
      'og:type': 'music.song',
      'og:url': `${site}/tracks/${known}`,
      'og:audio': audio(known),
      'og:image': `${site}/v1/tracks/${known}/cover`,
      'music:duration': '180',
      'twitter:card': 'player',
      'twitter:player': `${site}/tracks/${known}/player`,
      'twitter:player:stream': audio(known),
    })
    expect(data).toMatchObject({
      '@type': 'MusicRecording',
      name: title,
      duration: 'PT180S',
      isrcCode: 'DEA012345678',
      license: 'https://spdx.org/licenses/CC0-1.0.html',
      audio: { '@type': 'AudioObject', contentUrl: audio(known), contentSize: '4108' },
    })
    expect(alternates['application/rss+xml']).toBe(`${site}/v1/users/${strange}/feed.xml`)
    expect(response.headers.get('content-security-policy')).toMatch(
      /default-src 'none'.*frame-ancestors 'none'/,
    )
    const oembed = new URL((alternates['application/json+oembed'] ?? '').replaceAll('&amp;', '&'))
    const card = (await (await served.get(oembed.pathname + oembed.search)).json()) as Record<string, unknown>
    expect(card).toMatchObject({ type: 'rich', title, author_name: '<Σ> & co', thumbnail_width: 600 })
  })

  test('of an album or an artist has all that is listed', async () => {
    const { metas, data, alternates } = await page(`/playlists/${album}`)
    expect(metas['og:type']).toBe('music.album')
    expect(data).toMatchObject({
      '@type': 'MusicAlbum',
      numTracks: 2,
      byArtist: { name: 'Björk Guðmundsdóttir' },
    })
    expect(alternates['application/rss+xml']).toBe(`${site}/v1/playlists/${album}/feed.xml`)
    expect((await page(`/users/${guido}`)).text).not.toContain(hidden)
  })

  test('of what is unlisted is there by its id, and asks not to be found', async () => {
    expect((await page(`/tracks/${hidden}`)).metas.robots).toBe('noindex')
    expect((await page(`/tracks/${hymn}`)).metas.robots).toBeUndefined()
  })

  test('of a player may stand in a frame anywhere', async () => {
    for (const path of [`/tracks/${known}/player`, `/playlists/${album}/player`, `/users/${bjork}/player`]) {
      const { headers } = await served.get(path)
      expect(headers.get('content-security-policy')).toContain('frame-ancestors *')
      expect(headers.has('x-frame-options')).toBe(false)
    }
  })

  test('is a problem where there is nothing', async () => {
    expect(await served.problem(`/tracks/${gone}`)).toMatchObject({ status: 410 })
    expect(await served.problem(`/playlists/${hymn}`)).toMatchObject({ status: 404 })
    expect(await served.problem(`/users/${silent}`)).toMatchObject({ status: 404 })
  })
})

describe('oEmbed', () => {
  const ask = (query: Record<string, string>) => `/oembed?${new URLSearchParams(query)}`

  test('gives a frame within the room that there is, in JSON and XML', async () => {
    const url = `${site}/tracks/${known}`
    const response = await served.get(ask({ url, maxwidth: '300', maxheight: '90', dnt: '1' }))
    const card = (await response.json()) as { html: string; width: number; height: number }
    expect([card.width, card.height]).toEqual([300, 90])
    expect(parseXml(card.html.replace(/^(<iframe[^>]*>)/, '$1')).attributes).toMatchObject({
      src: `${url}/player`,
      title: seen,
      width: '300',
    })
    const document = await xml(ask({ url, format: 'xml' }), 'text/xml; charset=utf-8')
    expect([document.name, textOf('title', document), textOf('type', document)]).toEqual([
      'oembed',
      seen,
      'rich',
    ])
  })

  test('knows artists and playlists by any URL that names them', async () => {
    for (const [url, title] of [
      ['https://some.example/@bjork', 'Björk Guðmundsdóttir'],
      [`${site}/playlists/${album}`, 'Homogenic'],
    ] as const) {
      expect(await (await served.get(ask({ url }))).json()).toMatchObject({ title, type: 'rich' })
    }
  })

  test('says what it cannot show', async () => {
    expect((await served.problem(ask({ url: `${site}/about` }))).status).toBe(404)
    expect((await served.problem(ask({ url: `${site}/tracks/${gone}` }))).status).toBe(410)
    expect((await served.problem(ask({ url: `${site}/tracks/${known}`, format: 'yaml' }))).status).toBe(501)
    expect((await served.problem(ask({ url: 'tracks' }))).status).toBe(400)
  })
})

describe('a cover', () => {
  test('is at a holder, under a name by which it is shown; or is said not to be there', async () => {
    const { headers } = await served.get(`/v1/tracks/${known}/cover`)
    expect(headers.get('location')).toMatch(
      new RegExp(`^${served.node}/ipfs/bafkrei[a-z2-7]+\\?filename=cover\\.jpeg$`),
    )
    expect(await served.problem(`/v1/tracks/${hymn}/cover`)).toMatchObject({ status: 503 })
  })
})

describe('what is not out, or not for all', () => {
  const hilda: Address = `0x${'d4'.repeat(20)}`
  const [song, later, record, diary] = [1n, 2n, 3n, 4n].map((n) => subjectOf(hilda, n)) as [
    Subject,
    Subject,
    Subject,
    Subject,
  ]
  const releaseAtMs = 4_000_000_000_000
  const lists = [`users/${hilda}`, `playlists/${record}`].flatMap((source) => [
    ...['feed.xml', 'feed.xml?items=remote', 'tracks.m3u8', 'tracks.xspf'].map(
      (file) => `/v1/${source}/${file}`,
    ),
    ...[`/${source}`, `/${source}/player`],
  ])

  const textAt = async (path: string) => (await served.get(path)).text()
  const oembed = (path: string) => `/oembed?${new URLSearchParams({ url: site + path })}`

  beforeAll(async () => {
    const content = async (id: Subject, fields: Record<string, string | number>) =>
      trackContent(id, { prev: null, ...fields }, { by: operators.slice(0, 1).concat(operators.slice(2)) })
    await served.catalogue.put(
      actedLog({ author: hilda, kind: 'track', subject: song, content: await content(song, {}) }),
      actedLog({
        ...{ author: hilda, kind: 'track', subject: later },
        content: await content(later, { title: 'Later', releaseAtMs }),
      }),
      actedLog({
        ...{ author: hilda, kind: 'playlist', subject: record },
        content: { prev: null, title: 'Record', album: true, add: [{ track: song }, { track: later }] },
      }),
      actedLog({
        ...{ author: hilda, kind: 'playlist', subject: diary },
        content: {
          prev: null,
          sealed: { from: `0x${'05'.repeat(32)}`, keys: ['A'.repeat(64)], box: 'c2VhbGVk' },
        },
      }),
    )
  })

  test('a private playlist is not found, in whatever form', async () => {
    const path = `/playlists/${diary}`
    const files = ['feed.xml', 'tracks.m3u8', 'tracks.xspf'].map((file) => `/v1${path}/${file}`)
    for (const asked of [path, `${path}/player`, oembed(path), ...files]) {
      expect(await served.problem(asked)).toMatchObject({
        status: 404,
        type: expect.stringMatching(/private-playlist$/),
      })
    }
  })

  test('a scheduled track is in no list, and its page says when it comes, until it is out', async () => {
    for (const path of lists) {
      const text = await textAt(path)
      expect([path, text.includes(song), text.includes(later)]).toEqual([path, true, false])
    }
    const page = await textAt(`/tracks/${later}`)
    expect(page).toContain('To be released on Tue, 02 Oct 2096 07:06:40 GMT')
    expect(page).toContain('noindex')
    expect(page).not.toMatch(/audio\.m4a|<audio|\/stream|player|oembed/)
    const parts = [`/tracks/${later}/player`, `/v1/tracks/${later}/cover`, oembed(`/tracks/${later}`)]
    for (const path of parts) {
      expect(await served.problem(path)).toMatchObject({ status: 403, releaseAtMs })
    }

    // The chain's clock goes on.
    await served.catalogue.database.postgres.query(
      'UPDATE block SET unix_seconds = $1 WHERE number = (SELECT max(number) FROM block)',
      [releaseAtMs / 1000],
    )
    for (const path of lists)
      expect([path, await textAt(path)]).toEqual([path, expect.stringContaining(later)])
    const item = allNamed('item', channelOf(await feed(`/v1/users/${hilda}/feed.xml`)))[0]
    expect(item && textOf('pubDate', item)).toBe('Tue, 02 Oct 2096 07:06:40 GMT')
    expect(await textAt(`/tracks/${later}`)).toContain(
      `<audio controls="" preload="none" src="${audio(later)}"`,
    )
    expect((await served.get(oembed(`/tracks/${later}`))).status).toBe(200)
  })
})
