import { createRequire } from 'node:module'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { ElementText, type Fields } from './answer.ts'
import { readParameters } from './parameters.ts'
import { formatOf, render } from './render.ts'
import { xmlDocument } from './xml.ts'

type Node = { $?: Record<string, string>; _?: string } & { [name: string]: Node[] }
// It has no types of its own; a parser that nobody here wrote is what tells whether a document is one.
const { parseStringPromise } = createRequire(import.meta.url)('xml2js') as {
  parseStringPromise(xml: string, options: object): Promise<Record<string, Node>>
}

const parsed = (xml: string) => parseStringPromise(xml, { explicitCharkey: true })
const inForm = (query: Record<string, string>) => ({
  format: formatOf(readParameters(query)),
  serverVersion: '1.2.3',
})

const song: Fields = {
  id: 'tr-1',
  isDir: false,
  title: 'Ut "queant" <laxis> & more',
  duration: 180,
  album: undefined,
  isrc: ['AA6Q72000047', 'BB6Q72000047'],
  genres: [{ name: 'Chant' }, { name: 'Hymn' }],
  moods: [],
}
const answer: Fields = {
  randomSongs: { song: [song] },
  genres: { genre: [{ value: 'R&B', songCount: 2 }] },
  artistInfo2: { biography: new ElementText('Born <somewhere>') },
}

describe('an answer', () => {
  test('is XML unless something else is wanted', () => {
    const { type, body } = render(inForm({}), 'ok', answer)
    expect(type).toBe('application/xml; charset=utf-8')
    expect(body).toBe(
      `<?xml version="1.0" encoding="UTF-8"?>
<subsonic-response xmlns="http://subsonic.org/restapi" status="ok" version="1.16.1" type="hexachord" serverVersion="1.2.3" openSubsonic="true">\
<randomSongs><song id="tr-1" isDir="false" title="Ut &quot;queant&quot; &lt;laxis&gt; &amp; more" duration="180">\
<isrc>AA6Q72000047</isrc><isrc>BB6Q72000047</isrc><genres name="Chant"/><genres name="Hymn"/></song></randomSongs>\
<genres><genre songCount="2">R&amp;B</genre></genres>\
<artistInfo2><biography>Born &lt;somewhere&gt;</biography></artistInfo2></subsonic-response>
`,
    )
  })

  test('is the same in JSON', () => {
    const { type, body } = render(inForm({ f: 'json' }), 'ok', answer)
    expect(type).toBe('application/json; charset=utf-8')
    const { album: _, ...known } = song
    expect(JSON.parse(body)).toEqual({
      'subsonic-response': {
        status: 'ok',
        version: '1.16.1',
        type: 'hexachord',
        serverVersion: '1.2.3',
        openSubsonic: true,
        randomSongs: { song: [known] },
        genres: { genre: [{ value: 'R&B', songCount: 2 }] },
        artistInfo2: { biography: 'Born <somewhere>' },
      },
    })
  })

  test('calls back with JSON, but only a function with a name', () => {
    const { type, body } = render(inForm({ f: 'jsonp', callback: 'player.heard' }), 'failed', {})
    expect(type).toBe('application/javascript; charset=utf-8')
    expect(body).toMatch(/^\/\*\*\/player\.heard\(\{"subsonic-response":\{"status":"failed",.*\}\);$/)
    for (const callback of ['', 'alert(1)//', 'a b', '1a', 'a'.repeat(200)]) {
      expect(formatOf(readParameters({ f: 'jsonp', callback }))).toEqual({ name: 'xml' })
    }
    expect(formatOf(readParameters({ f: 'yaml' }))).toEqual({ name: 'xml' })
  })
})

describe('XML', () => {
  /** What XML 1.0 can hold of a text. */
  const held = (text: string) =>
    text.toWellFormed().replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')

  test('gives back any text, in attributes and in elements', async () => {
    const text = fc.string({
      unit: fc.constantFrom(...'a<>&"\'\n\r\t \0\u0008\ud800\ufffeé🎵]'),
      maxLength: 12,
    })
    await fc.assert(
      fc.asyncProperty(text, text, async (attribute, content) => {
        const xml = xmlDocument('answer', { attribute, element: new ElementText(`-${content}-`) })
        const { answer } = await parsed(xml)
        expect(answer?.$?.attribute).toBe(held(attribute))
        expect(answer?.element?.[0]?._).toBe(`-${held(content)}-`)
      }),
    )
  })
})
