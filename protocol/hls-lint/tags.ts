import type { Rule } from './rules.ts'

export type AttributeType =
  | 'decimal-integer'
  | 'hexadecimal-sequence'
  | 'decimal-floating-point'
  | 'signed-decimal-floating-point'
  | 'quoted-string'
  | 'enumerated-string'
  | 'decimal-resolution'
  | 'quoted-string or NONE'

export type Tag = {
  /** Where the tag belongs (RFC 8216 4.3.1 to 4.3.5). */
  readonly kind: 'basic' | 'segment' | 'media' | 'master' | 'either'
  readonly value: 'none' | 'integer' | 'attributes' | 'other'
  readonly attributes?: { readonly [name: string]: AttributeType }
  readonly required?: { readonly names: readonly string[]; readonly rule: Rule }
}

const quoted = 'quoted-string'
const word = 'enumerated-string'
const integer = 'decimal-integer'
const float = 'decimal-floating-point'

const keyAttributes = {
  METHOD: word,
  URI: quoted,
  IV: 'hexadecimal-sequence',
  KEYFORMAT: quoted,
  KEYFORMATVERSIONS: quoted,
} as const

const variantAttributes = {
  BANDWIDTH: integer,
  'AVERAGE-BANDWIDTH': integer,
  CODECS: quoted,
  RESOLUTION: 'decimal-resolution',
  'HDCP-LEVEL': word,
  VIDEO: quoted,
} as const

/** The tags of RFC 8216 4.3. Clients ignore others (6.3.1), and so do we. */
export const tags: { readonly [name: string]: Tag } = {
  EXTM3U: { kind: 'basic', value: 'none' },
  'EXT-X-VERSION': { kind: 'basic', value: 'integer' },

  EXTINF: { kind: 'segment', value: 'other' },
  'EXT-X-BYTERANGE': { kind: 'segment', value: 'other' },
  'EXT-X-DISCONTINUITY': { kind: 'segment', value: 'none' },
  'EXT-X-KEY': {
    kind: 'segment',
    value: 'attributes',
    attributes: keyAttributes,
    required: { names: ['METHOD'], rule: '4.3.2.4 required-attribute' },
  },
  'EXT-X-MAP': {
    kind: 'segment',
    value: 'attributes',
    attributes: { URI: quoted, BYTERANGE: quoted },
    required: { names: ['URI'], rule: '4.3.2.5 required-attribute' },
  },
  'EXT-X-PROGRAM-DATE-TIME': { kind: 'segment', value: 'other' },
  'EXT-X-DATERANGE': {
    kind: 'segment',
    value: 'attributes',
    attributes: {
      ID: quoted,
      CLASS: quoted,
      'START-DATE': quoted,
      'END-DATE': quoted,
      DURATION: float,
      'PLANNED-DURATION': float,
      'SCTE35-CMD': 'hexadecimal-sequence',
      'SCTE35-OUT': 'hexadecimal-sequence',
      'SCTE35-IN': 'hexadecimal-sequence',
      'END-ON-NEXT': word,
    },
    required: { names: ['ID', 'START-DATE'], rule: '4.3.2.7 required-attribute' },
  },

  'EXT-X-TARGETDURATION': { kind: 'media', value: 'integer' },
  'EXT-X-MEDIA-SEQUENCE': { kind: 'media', value: 'integer' },
  'EXT-X-DISCONTINUITY-SEQUENCE': { kind: 'media', value: 'integer' },
  'EXT-X-ENDLIST': { kind: 'media', value: 'none' },
  'EXT-X-PLAYLIST-TYPE': { kind: 'media', value: 'other' },
  'EXT-X-I-FRAMES-ONLY': { kind: 'media', value: 'none' },
  // Not of RFC 8216 any more (7): known only to be refused where a version removed it.
  'EXT-X-ALLOW-CACHE': { kind: 'media', value: 'other' },

  'EXT-X-MEDIA': {
    kind: 'master',
    value: 'attributes',
    attributes: {
      TYPE: word,
      URI: quoted,
      'GROUP-ID': quoted,
      LANGUAGE: quoted,
      'ASSOC-LANGUAGE': quoted,
      NAME: quoted,
      DEFAULT: word,
      AUTOSELECT: word,
      FORCED: word,
      'INSTREAM-ID': quoted,
      CHARACTERISTICS: quoted,
      CHANNELS: quoted,
    },
    required: { names: ['TYPE', 'GROUP-ID', 'NAME'], rule: '4.3.4.1 required-attribute' },
  },
  'EXT-X-STREAM-INF': {
    kind: 'master',
    value: 'attributes',
    attributes: {
      ...variantAttributes,
      'FRAME-RATE': float,
      AUDIO: quoted,
      SUBTITLES: quoted,
      'CLOSED-CAPTIONS': 'quoted-string or NONE',
    },
    required: { names: ['BANDWIDTH'], rule: '4.3.4.2 required-attribute' },
  },
  'EXT-X-I-FRAME-STREAM-INF': {
    kind: 'master',
    value: 'attributes',
    attributes: { ...variantAttributes, URI: quoted },
    required: { names: ['BANDWIDTH', 'URI'], rule: '4.3.4.3 required-attribute' },
  },
  'EXT-X-SESSION-DATA': {
    kind: 'master',
    value: 'attributes',
    attributes: { 'DATA-ID': quoted, VALUE: quoted, URI: quoted, LANGUAGE: quoted },
    required: { names: ['DATA-ID'], rule: '4.3.4.4 required-attribute' },
  },
  'EXT-X-SESSION-KEY': {
    kind: 'master',
    value: 'attributes',
    attributes: keyAttributes,
    required: { names: ['METHOD'], rule: '4.3.4.5 required-attribute' },
  },

  'EXT-X-INDEPENDENT-SEGMENTS': { kind: 'either', value: 'none' },
  'EXT-X-START': {
    kind: 'either',
    value: 'attributes',
    attributes: { 'TIME-OFFSET': 'signed-decimal-floating-point', PRECISE: word },
    required: { names: ['TIME-OFFSET'], rule: '4.3.5.2 required-attribute' },
  },
}
