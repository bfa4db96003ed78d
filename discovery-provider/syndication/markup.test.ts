import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parseXml } from '../fixtures/parse-xml.ts'
import { feedGuid } from './feed-guid.ts'
import { element, htmlDocument, jsonData, xmlDocument } from './markup.ts'

const strange = [
  'Tom & Jerry <b>"\'</b>',
  ']]> <![CDATA[ --> <!--',
  'NUL \0, bell \x07, escape \x1b, C1 \x85\x9f',
  '\ud800 half a pair, \uffff and \ufffe are none',
  '\u202eright to left\u202c שלום 🎵👩‍🎤 𝄞',
  '\tlines\r\nand\u2028more\n',
]

/** What a document can hold of a text, and a sign in place of the rest. */
const holdable = (text: string) =>
  text
    .toWellFormed()
    .replaceAll(
      /[^\t\n\r\u{20}-\u{7e}\u{85}\u{a0}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu,
      '\ufffd',
    )

function comesBack(text: string): void {
  const document = parseXml(xmlDocument(element('a', { b: text }, text, element('c'), text)))
  expect(document.attributes.b).toBe(holdable(text))
  expect(document.text).toBe(holdable(text) + holdable(text))
}

describe('XML', () => {
  test.each(strange)('brings back what a stranger wrote: %j', comesBack)

  test('is well-formed whatever stands in it', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), comesBack))
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0xffff })), (units) =>
        comesBack(String.fromCharCode(...units)),
      ),
    )
  })

  test('leaves out what there is not', () => {
    expect(xmlDocument(element('a', { b: undefined, c: 0 }, undefined))).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<a c="0"/>\n',
    )
  })
})

describe('HTML', () => {
  test('ends what is not void, and lets no text out of its place', () => {
    const page = htmlDocument(
      element('html', {}, element('meta', { content: '"><script>' }), element('script')),
    )
    expect(page).toBe(
      '<!doctype html>\n<html><meta content="&quot;&gt;&lt;script&gt;"><script></script></html>\n',
    )
  })

  test('holds JSON that cannot end its script', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.constantFrom('</script>', '<!--<script>')), (text) => {
        const { data } = jsonData({ text })
        expect(data).not.toContain('<')
        expect(JSON.parse(data)).toEqual({ text })
      }),
    )
  })
})

describe('the name of a feed', () => {
  test('is what the publishers of the namespace compute, whatever the scheme and the last slash', () => {
    // Their own feed and the one of their example.
    expect(feedGuid('https://mp3s.nashownotes.com/pc20rss.xml')).toBe('917393e3-1b1e-5cef-ace4-edaa54e1f810')
    expect(feedGuid('http://podnews.net/rss/')).toBe(feedGuid('https://podnews.net/rss'))
    expect(feedGuid('https://podnews.net/rss')).toBe('9b024349-ccf0-5f69-a609-6b82873eab3c')
  })
})
