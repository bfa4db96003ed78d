import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { lintPlaylist, rules } from './index.ts'
import { tags } from './tags.ts'

const validMedia = `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-TARGETDURATION:6
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MAP:URI="init.mp4"
#EXTINF:6.013968,a title, with a comma
segment-00000.m4s
#EXTINF:5,
segment-00001.m4s
#EXT-X-ENDLIST
`

describe('lintPlaylist', () => {
  test.each([
    ['a media playlist', validMedia],
    ['line ends of Windows', validMedia.replaceAll('\n', '\r\n')],
    ['no line end at the end', validMedia.trimEnd()],
    [
      'comments, blank lines and tags of others',
      validMedia.replace('#EXT-X-MAP', '# über alles\n\n#EXT-X-MINE:a b\n#EXT-X-MAP'),
    ],
    [
      'byte ranges that continue',
      `#EXTM3U
#EXT-X-VERSION:4
#EXT-X-TARGETDURATION:6
#EXTINF:6,
#EXT-X-BYTERANGE:100@0
a.ts
#EXT-X-BYTERANGE:100
#EXTINF:6,
a.ts
`,
    ],
    [
      'an event with encryption, dates and a discontinuity',
      `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:6
#EXT-X-DISCONTINUITY-SEQUENCE:2
#EXT-X-PLAYLIST-TYPE:EVENT
#EXT-X-START:TIME-OFFSET=-12.5
#EXT-X-KEY:METHOD=AES-128,URI="https://keys.example/1",IV=0x000102030405060708090A0B0C0D0E0F
#EXT-X-MAP:URI="init.mp4",BYTERANGE="700@0"
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T20:15:00.000+01:00
#EXT-X-DATERANGE:ID="set",CLASS="set",START-DATE="2026-01-01T19:15:00Z",END-ON-NEXT=YES,X-COM-EXAMPLE="a b"
#EXTINF:6,
https://one.example/a.m4s?token=%41#t
#EXT-X-DISCONTINUITY
#EXT-X-KEY:METHOD=NONE
#EXTINF:6.49,
//two.example/b.m4s
`,
    ],
  ])('finds nothing wrong with %s', (_, text) => {
    expect(lintPlaylist(text)).toEqual([])
  })

  test('takes relative URIs as relative to where the playlist is', () => {
    const relative = '#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n../a.aac\n'
    expect(lintPlaylist(relative, { uri: 'https://one.example/hls/playlist.m3u8' })).toEqual([])
    expect(lintPlaylist(relative, { uri: 'data:audio/mpegurl,x' })).toMatchObject([
      { line: 4, rule: '4.1 uri' },
    ])
  })

  test('says what it found and where', () => {
    expect(lintPlaylist(validMedia.replace('6.013968', '6.5'))).toEqual([
      {
        line: 8,
        rule: '4.3.3.1 target-duration-exceeded',
        message:
          'no EXTINF, rounded to the nearest integer, may exceed the target duration: 6.5 s, the target is 6 s',
      },
    ])
  })

  test('reports an empty text and never throws, whatever it is given', () => {
    expect(lintPlaylist('')).toMatchObject([{ rule: '4.3.1.1 extm3u-first' }, { rule: '4.1 kind' }])
    const line = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(...validMedia.split('\n')),
      fc.tuple(fc.constantFrom(...Object.keys(tags)), fc.string()).map(([tag, value]) => `#${tag}:${value}`),
    )
    fc.assert(
      fc.property(fc.array(line, { maxLength: 20 }), (lines) => {
        for (const { line, rule } of lintPlaylist(lines.join('\n'))) {
          expect(line).toBeGreaterThan(0)
          expect(rules).toHaveProperty([rule])
        }
      }),
    )
  })
})
