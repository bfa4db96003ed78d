/** What is checked, by the section of RFC 8216 that asks for it. */
export const rules = {
  '3.3 map-before-fmp4': 'a segment in fragmented MP4 needs an EXT-X-MAP before it',
  '4.1 byte-order-mark': 'a playlist must not begin with a byte order mark',
  '4.1 control-character': 'no control characters but line ends (LF, or CR LF) may stand in a playlist',
  '4.1 well-formed': 'a playlist is UTF-8, which has no halves of surrogate pairs',
  '4.1 white-space': 'white space may stand only where it is explicitly allowed',
  '4.1 uri': 'a URI must be valid, in itself or relative to the playlist',
  '4.1 kind': 'a playlist is either a master or a media playlist, by the tags it has',
  '4.2 attribute-syntax': 'an attribute list is NAME=value pairs, separated by commas',
  '4.2 attribute-type': 'an attribute has the type of value that its tag defines',
  '4.2 duplicate-attribute': 'an attribute may stand only once in a list',
  '4.3 tag-value': 'a tag has the form of value that is defined for it',
  '4.3.1.1 extm3u-first': 'EXTM3U must be the first line',
  '4.3.1.2 version-once': 'EXT-X-VERSION may stand only once',
  '4.3.2 segment-tag-in-master': 'a media segment tag must not stand in a master playlist',
  '4.3.2 no-segment-follows': 'a media segment tag applies to a segment, and none follows',
  '4.3.2.1 extinf-required': 'every segment needs an EXTINF',
  '4.3.2.1 extinf-syntax': 'EXTINF is a decimal duration, a comma and an optional title',
  '4.3.2.2 byterange-syntax': 'a byte range is <length>[@<offset>]',
  '4.3.2.2 byterange-offset': 'a byte range without offset needs one of the same resource before it',
  '4.3.2.4 required-attribute': 'EXT-X-KEY needs METHOD',
  '4.3.2.4 key': 'METHOD is NONE (alone), AES-128 or SAMPLE-AES (with a URI); IV has 128 bits',
  '4.3.2.5 required-attribute': 'EXT-X-MAP needs URI',
  '4.3.2.5 map-byterange': 'BYTERANGE of EXT-X-MAP is <length>@<offset>',
  '4.3.2.5 map-iv': 'an EXT-X-MAP under a key of AES-128 needs an EXT-X-KEY with IV before it',
  '4.3.2.6 date-time': 'EXT-X-PROGRAM-DATE-TIME is a date and time of ISO 8601',
  '4.3.2.7 required-attribute': 'EXT-X-DATERANGE needs ID and START-DATE',
  '4.3.2.7 date-range': 'a date range has no negative duration, and with END-ON-NEXT a CLASS and no end',
  '4.3.2.7 program-date-time': 'a playlist with a date range needs an EXT-X-PROGRAM-DATE-TIME',
  '4.3.3 media-tag-in-master': 'a media playlist tag must not stand in a master playlist',
  '4.3.3 media-tag-once': 'a media playlist tag may stand only once',
  '4.3.3.1 target-duration-required': 'a media playlist needs EXT-X-TARGETDURATION',
  '4.3.3.1 target-duration-exceeded':
    'no EXTINF, rounded to the nearest integer, may exceed the target duration',
  '4.3.3.2 media-sequence-late': 'EXT-X-MEDIA-SEQUENCE must stand before the first segment',
  '4.3.3.3 discontinuity-sequence-late':
    'EXT-X-DISCONTINUITY-SEQUENCE must stand before the first segment and any EXT-X-DISCONTINUITY',
  '4.3.3.5 playlist-type': 'EXT-X-PLAYLIST-TYPE is EVENT or VOD',
  '4.3.3.5 vod-ends': 'what is VOD never changes, so that EXT-X-ENDLIST must say that it is whole',
  '4.3.4 master-tag-in-media': 'a master playlist tag must not stand in a media playlist',
  '4.3.4.1 required-attribute': 'EXT-X-MEDIA needs TYPE, GROUP-ID and NAME',
  '4.3.4.1 media': 'URI, INSTREAM-ID, FORCED and AUTOSELECT of EXT-X-MEDIA go with its TYPE and DEFAULT',
  '4.3.4.1.1 group': 'in a group, names differ and at most one member is the default',
  '4.3.4.2 required-attribute': 'EXT-X-STREAM-INF needs BANDWIDTH',
  '4.3.4.2 uri-follows': 'a URI line follows each EXT-X-STREAM-INF, and none stands alone',
  '4.3.4.2 bandwidth': 'BANDWIDTH is the peak: more than 0, and never below AVERAGE-BANDWIDTH',
  '4.3.4.2 codecs': 'CODECS lists formats as in RFC 6381',
  '4.3.4.2 group-exists': 'a group that a variant names must be defined by EXT-X-MEDIA of that type',
  '4.3.4.3 required-attribute': 'EXT-X-I-FRAME-STREAM-INF needs BANDWIDTH and URI',
  '4.3.4.4 required-attribute': 'EXT-X-SESSION-DATA needs DATA-ID',
  '4.3.4.4 session-data': 'session data has a VALUE or a URI, and no DATA-ID twice in one LANGUAGE',
  '4.3.4.5 required-attribute': 'EXT-X-SESSION-KEY needs METHOD',
  '4.3.4.5 session-key': 'a session key has a METHOD other than NONE and a URI',
  '4.3.5 once': 'EXT-X-INDEPENDENT-SEGMENTS and EXT-X-START may stand only once',
  '4.3.5.2 required-attribute': 'EXT-X-START needs TIME-OFFSET',
  '7 version-too-low': 'EXT-X-VERSION must be high enough for the tags and attributes that are used',
  '7 removed': 'what a version removed must not be used in it',
} as const

export type Rule = keyof typeof rules

/** A place where a playlist breaks a rule. `line` counts from 1; a rule starts with its section. */
export type Finding = { readonly line: number; readonly rule: Rule; readonly message: string }

/** @param detail what was found, in a few words */
export function finding(line: number, rule: Rule, detail?: string): Finding {
  return { line, rule, message: detail === undefined ? rules[rule] : `${rules[rule]}: ${detail}` }
}
