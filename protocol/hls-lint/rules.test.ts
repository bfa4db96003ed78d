import { describe, expect, test } from '@jest/globals'
import { lintPlaylist, type Rule, rules } from './index.ts'

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

const validMaster = `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="english",NAME="English",DEFAULT=YES,AUTOSELECT=YES,URI="english.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="english",NAME="Deutsch",URI="german.m3u8"
#EXT-X-SESSION-DATA:DATA-ID="org.example.title",VALUE="A title"
#EXT-X-STREAM-INF:BANDWIDTH=165000,AVERAGE-BANDWIDTH=160000,CODECS="mp4a.40.2",AUDIO="english"
https://one.example/aac-160.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=165000,AVERAGE-BANDWIDTH=160000,CODECS="mp4a.40.2",AUDIO="english"
https://two.example/aac-160.m3u8
`

const bareMedia = `#EXTM3U
#EXT-X-TARGETDURATION:6
#EXTINF:6,
a.aac
`

/** Playlists that break a rule, and the line on which they do. */
const broken: readonly (readonly [rule: Rule, line: number, playlist: string])[] = [
  ['3.3 map-before-fmp4', 8, validMedia.replace('#EXT-X-MAP:URI="init.mp4"\n', '')],
  ['3.3 map-before-fmp4', 4, bareMedia.replace('a.aac', '/ipfs/bafy?filename=a.m4s')],
  ['4.1 byte-order-mark', 1, validMedia.replace('#EXTM3U', '\uFEFF#EXTM3U')],
  ['4.1 control-character', 8, validMedia.replace('a title', 'a\u0007title')],
  ['4.1 control-character', 8, validMedia.replace('a title', 'a\u0085title')],
  ['4.1 control-character', 8, validMedia.replace('a title', 'a\rtitle')],
  ['4.1 well-formed', 8, validMedia.replace('a title', '\ud800')],
  ['4.1 white-space', 9, validMedia.replace('segment-00000.m4s', 'segment 00000.m4s')],
  ['4.1 white-space', 4, validMedia.replace('DURATION:6', 'DURATION: 6')],
  ['4.1 white-space', 7, validMaster.replace(',CODECS', ', CODECS')],
  ['4.1 uri', 9, validMedia.replace('segment-00000.m4s', 'segment{0}.m4s')],
  ['4.1 uri', 9, validMedia.replace('segment-00000.m4s', 'segment%2.m4s')],
  ['4.1 uri', 9, validMedia.replace('segment-00000.m4s', 'https://[::1/a.m4s')],
  ['4.1 uri', 7, validMedia.replace('init.mp4', 'in\\it.mp4')],
  ['4.1 uri', 4, validMaster.replace('english.m3u8', '<english>.m3u8')],
  ['4.1 kind', 1, '#EXTM3U\n#EXT-X-VERSION:7\n'],
  ['4.2 attribute-syntax', 7, validMaster.replace('BANDWIDTH=165000', 'bandwidth=165000')],
  ['4.2 attribute-syntax', 7, validMaster.replace('AUDIO="english"', 'AUDIO="english"x')],
  ['4.2 attribute-syntax', 7, validMaster.replace('AUDIO="english"', 'AUDIO="english",')],
  ['4.2 attribute-syntax', 7, validMaster.replace('AUDIO="english"', 'AUDIO="english')],
  ['4.2 attribute-syntax', 7, validMedia.replace(':URI="init.mp4"', '')],
  ['4.2 attribute-type', 7, validMedia.replace('"init.mp4"', 'init.mp4')],
  ['4.2 attribute-type', 7, validMaster.replace('"mp4a.40.2"', 'mp4a.40.2')],
  ['4.2 attribute-type', 7, validMaster.replace('BANDWIDTH=165000', 'BANDWIDTH=165000.5')],
  ['4.2 attribute-type', 7, validMaster.replace('AUDIO=', 'RESOLUTION=100,AUDIO=')],
  ['4.2 attribute-type', 4, validMaster.replace('TYPE=AUDIO', 'TYPE="AUDIO"')],
  ['4.2 duplicate-attribute', 7, validMaster.replace('AUDIO=', 'BANDWIDTH=165000,AUDIO=')],
  ['4.3 tag-value', 12, validMedia.replace('ENDLIST', 'ENDLIST:1')],
  ['4.3 tag-value', 4, validMedia.replace('DURATION:6', 'DURATION:6.5')],
  ['4.3 tag-value', 2, validMedia.replace('VERSION:7', 'VERSION')],
  ['4.3.1.1 extm3u-first', 1, insert(validMedia, 1, '')],
  ['4.3.1.1 extm3u-first', 1, validMedia.replace('#EXTM3U\n', '#EXTM3U8\n')],
  ['4.3.1.2 version-once', 3, insert(validMedia, 3, '#EXT-X-VERSION:7')],
  ['4.3.2 segment-tag-in-master', 8, insert(validMaster, 8, '#EXTINF:6,')],
  ['4.3.2 no-segment-follows', 12, insert(validMedia, 12, '#EXTINF:6,')],
  ['4.3.2 no-segment-follows', 8, insert(validMedia, 8, '#EXTINF:6,')],
  ['4.3.2.1 extinf-required', 10, validMedia.replace('#EXTINF:5,\n', '')],
  ['4.3.2.1 extinf-syntax', 10, validMedia.replace('#EXTINF:5,', '#EXTINF:5')],
  ['4.3.2.1 extinf-syntax', 10, validMedia.replace('#EXTINF:5,', '#EXTINF:-5,')],
  ['4.3.2.1 extinf-syntax', 10, validMedia.replace('#EXTINF:5,', '#EXTINF:5e0,')],
  ['4.3.2.2 byterange-syntax', 10, insert(validMedia, 10, '#EXT-X-BYTERANGE:0-99')],
  ['4.3.2.2 byterange-offset', 10, insert(validMedia, 10, '#EXT-X-BYTERANGE:100')],
  ['4.3.2.5 map-iv', 8, insert(validMedia, 7, '#EXT-X-KEY:METHOD=AES-128,URI="k"')],
  ['4.3.2.4 required-attribute', 8, insert(validMedia, 8, '#EXT-X-KEY:URI="k"')],
  ['4.3.2.4 key', 8, insert(validMedia, 8, '#EXT-X-KEY:METHOD=NONE,URI="k"')],
  ['4.3.2.4 key', 8, insert(validMedia, 8, '#EXT-X-KEY:METHOD=AES-128')],
  ['4.3.2.4 key', 8, insert(validMedia, 8, '#EXT-X-KEY:METHOD=ROT13,URI="k"')],
  ['4.3.2.4 key', 8, insert(validMedia, 8, '#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x12')],
  ['4.3.2.4 key', 8, insert(validMedia, 8, '#EXT-X-KEY:METHOD=AES-128,URI="k",KEYFORMATVERSIONS="0"')],
  ['4.3.2.5 required-attribute', 7, validMedia.replace('URI="init.mp4"', 'BYTERANGE="700@0"')],
  ['4.3.2.5 map-byterange', 7, validMedia.replace('"init.mp4"', '"init.mp4",BYTERANGE="700"')],
  ['4.3.2.6 date-time', 8, insert(validMedia, 8, '#EXT-X-PROGRAM-DATE-TIME:yesterday')],
  ['4.3.2.6 date-time', 8, insert(validMedia, 8, '#EXT-X-PROGRAM-DATE-TIME:2026-13-01T00:00Z')],
  ['4.3.2.7 required-attribute', 8, insert(validMedia, 8, '#EXT-X-DATERANGE:ID="a"')],
  ['4.3.2.7 program-date-time', 8, insert(validMedia, 8, dateRange('DURATION=1'))],
  ['4.3.2.7 date-range', 8, insert(validMedia, 8, dateRange('END-DATE="2025-01-01T00:00:00Z"'))],
  ['4.3.2.7 date-range', 8, insert(validMedia, 8, dateRange('END-DATE="later"'))],
  ['4.3.2.7 date-range', 8, insert(validMedia, 8, dateRange('END-ON-NEXT=YES'))],
  ['4.3.2.7 date-range', 8, insert(validMedia, 8, dateRange('CLASS="c",END-ON-NEXT=NO'))],
  ['4.3.2.7 date-range', 8, insert(validMedia, 8, dateRange('CLASS="c",DURATION=1,END-ON-NEXT=YES'))],
  ['4.3.3 media-tag-in-master', 6, insert(validMaster, 6, '#EXT-X-TARGETDURATION:6')],
  ['4.3.3 media-tag-once', 13, insert(validMedia, 13, '#EXT-X-ENDLIST')],
  ['4.3.3.1 target-duration-required', 11, validMedia.replace('#EXT-X-TARGETDURATION:6\n', '')],
  ['4.3.3.1 target-duration-exceeded', 8, validMedia.replace('6.013968', '6.5')],
  ['4.3.3.1 target-duration-exceeded', 3, bareMedia.replace('#EXTINF:6', '#EXTINF:7')],
  [
    '4.3.3.2 media-sequence-late',
    10,
    insert(validMedia.replace(/#EXT-X-MEDIA-.*\n/, ''), 10, '#EXT-X-MEDIA-SEQUENCE:0'),
  ],
  ['4.3.3.3 discontinuity-sequence-late', 12, insert(validMedia, 12, '#EXT-X-DISCONTINUITY-SEQUENCE:1')],
  [
    '4.3.3.3 discontinuity-sequence-late',
    9,
    insert(validMedia, 8, '#EXT-X-DISCONTINUITY', '#EXT-X-DISCONTINUITY-SEQUENCE:1'),
  ],
  ['4.3.3.5 playlist-type', 6, validMedia.replace('TYPE:VOD', 'TYPE:LIVE')],
  ['4.3.3.5 vod-ends', 11, validMedia.replace('#EXT-X-ENDLIST\n', '')],
  ['4.3.4 master-tag-in-media', 12, insert(validMedia, 12, '#EXT-X-STREAM-INF:BANDWIDTH=1')],
  [
    '4.3.4.1 required-attribute',
    5,
    validMaster.replace('GROUP-ID="english",NAME="Deutsch"', 'NAME="Deutsch"'),
  ],
  [
    '4.3.4.1 media',
    5,
    validMaster.replace('AUDIO,GROUP-ID="english",NAME="D', 'SMELL,GROUP-ID="english",NAME="D'),
  ],
  ['4.3.4.1 media', 5, validMaster.replace('NAME="Deutsch"', 'NAME="Deutsch",FORCED=NO')],
  ['4.3.4.1 media', 5, validMaster.replace('NAME="Deutsch"', 'NAME="Deutsch",DEFAULT=MAYBE')],
  ['4.3.4.1 media', 4, validMaster.replace('AUTOSELECT=YES', 'AUTOSELECT=NO')],
  ['4.3.4.1 media', 6, insert(validMaster, 6, captions('URI="c.m3u8",INSTREAM-ID="CC1"'))],
  ['4.3.4.1 media', 6, insert(validMaster, 6, captions('LANGUAGE="en"'))],
  ['4.3.4.1.1 group', 5, validMaster.replace('Deutsch', 'English')],
  ['4.3.4.1.1 group', 5, validMaster.replace('NAME="Deutsch"', 'NAME="Deutsch",DEFAULT=YES')],
  ['4.3.4.2 required-attribute', 7, validMaster.replace(':BANDWIDTH=165000,', ':')],
  ['4.3.4.2 uri-follows', 9, validMaster.replace('https://two.example/aac-160.m3u8\n', '')],
  ['4.3.4.2 uri-follows', 7, validMaster.replace('https://one.example/aac-160.m3u8\n', '')],
  ['4.3.4.2 uri-follows', 11, insert(validMaster, 11, 'https://three.example/aac-160.m3u8')],
  ['4.3.4.2 bandwidth', 7, validMaster.replace('BANDWIDTH=165000', 'BANDWIDTH=150000')],
  ['4.3.4.2 bandwidth', 7, validMaster.replace('BANDWIDTH=165000,AVERAGE-BANDWIDTH=160000', 'BANDWIDTH=0')],
  ['4.3.4.2 codecs', 7, validMaster.replace('mp4a.40.2', 'aac')],
  ['4.3.4.2 codecs', 7, validMaster.replace('mp4a.40.2', 'mp4a.40.2,')],
  ['4.3.4.2 codecs', 7, validMaster.replace('mp4a.40.2', '')],
  ['4.3.4.2 group-exists', 7, validMaster.replace('AUDIO="english"', 'AUDIO="french"')],
  ['4.3.4.2 group-exists', 7, validMaster.replace('AUDIO="english"', 'SUBTITLES="english"')],
  ['4.3.4.3 required-attribute', 6, insert(validMaster, 6, '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=9')],
  ['4.3.4.4 required-attribute', 6, validMaster.replace('DATA-ID="org.example.title",', '')],
  ['4.3.4.4 session-data', 6, validMaster.replace(',VALUE="A title"', '')],
  ['4.3.4.4 session-data', 6, validMaster.replace(',VALUE="A title"', ',VALUE="A title",URI="title.json"')],
  [
    '4.3.4.4 session-data',
    7,
    insert(validMaster, 7, '#EXT-X-SESSION-DATA:DATA-ID="org.example.title",VALUE="Another"'),
  ],
  ['4.3.4.5 required-attribute', 6, insert(validMaster, 6, '#EXT-X-SESSION-KEY:URI="k"')],
  ['4.3.4.5 session-key', 6, insert(validMaster, 6, '#EXT-X-SESSION-KEY:METHOD=AES-128')],
  ['4.3.4.5 session-key', 6, insert(validMaster, 6, '#EXT-X-SESSION-KEY:METHOD=NONE,URI="k"')],
  ['4.3.5 once', 4, insert(validMaster, 4, '#EXT-X-INDEPENDENT-SEGMENTS')],
  ['4.3.5.2 required-attribute', 3, insert(validMedia, 3, '#EXT-X-START:PRECISE=YES')],
  ['7 version-too-low', 7, validMedia.replace('VERSION:7', 'VERSION:5')],
  ['7 version-too-low', 3, bareMedia.replace('#EXTINF:6', '#EXTINF:5.5')],
  ['7 version-too-low', 3, insert(bareMedia, 3, '#EXT-X-BYTERANGE:100@0')],
  ['7 version-too-low', 3, insert(bareMedia, 3, `#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x${'0'.repeat(32)}`)],
  ['7 version-too-low', 3, insert(bareMedia, 3, '#EXT-X-KEY:METHOD=AES-128,URI="k",KEYFORMAT="identity"')],
  [
    '7 version-too-low',
    6,
    insert(validMaster.replace('VERSION:7', 'VERSION:6'), 6, captions('INSTREAM-ID="SERVICE1"')),
  ],
  ['7 removed', 3, insert(validMedia, 3, '#EXT-X-ALLOW-CACHE:YES')],
  ['7 removed', 7, validMaster.replace('AUDIO=', 'PROGRAM-ID=1,AUDIO=')],
]

describe('every rule', () => {
  test.each(broken)('%s is reported on line %i (case %#)', (rule, line, playlist) => {
    const message = expect.stringContaining(rules[rule])
    expect(lintPlaylist(playlist)).toContainEqual({ line, rule, message })
  })

  test('is met by the playlists from which the broken ones are made', () => {
    expect([validMedia, validMaster, bareMedia].map((playlist) => lintPlaylist(playlist))).toEqual([
      [],
      [],
      [],
    ])
  })

  test('has a playlist here that breaks it', () => {
    expect([...new Set(broken.map(([rule]) => rule))].sort()).toEqual(Object.keys(rules).sort())
  })
})

/** A playlist with further lines, the first of them being line `number`. */
function insert(playlist: string, number: number, ...lines: string[]): string {
  return playlist
    .split('\n')
    .toSpliced(number - 1, 0, ...lines)
    .join('\n')
}

function dateRange(attributes: string): string {
  return `#EXT-X-DATERANGE:ID="a",START-DATE="2026-01-01T00:00:00Z",${attributes}`
}

function captions(attributes: string): string {
  return `#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="captions",NAME="Captions",${attributes}`
}
