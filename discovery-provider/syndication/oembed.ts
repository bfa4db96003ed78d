import { Problem } from '@hexachord/platform/http'
import type { Links } from './links.ts'
import { element, htmlElement, textElement, xmlDocument } from './markup.ts'

/** What a page says of itself to a site that wants to show it: https://oembed.com. */
export type Card = {
  readonly title: string
  readonly by: string
  readonly byUrl: string
  readonly page: string
  /** Where it plays by itself; undefined for what is not out, which is shown nowhere else. */
  readonly player: string | undefined
  /** Room that its player wants, in pixels. */
  readonly height: number
  readonly cover: { readonly url: string; readonly width: number; readonly height: number } | undefined
}

export const playerWidth = 480
const cacheSeconds = 300

export type OembedRoom = { readonly maxwidth?: number | undefined; readonly maxheight?: number | undefined }

/** @throws Problem 501 for another format than the two that there are, as oEmbed has it */
export function oembedOf(
  card: Card,
  {
    format,
    links,
    maxwidth = playerWidth,
    maxheight = card.height,
  }: OembedRoom & { format: string; links: Links },
): { text: string; type: string } {
  const fields = fieldsOf(card, {
    links,
    width: Math.min(playerWidth, maxwidth),
    height: Math.min(card.height, maxheight),
  })
  if (format === 'json') return { text: JSON.stringify(fields), type: 'application/json' }
  if (format === 'xml') {
    const elements = Object.entries(fields).map(([name, value]) => textElement(name, value))
    return { text: xmlDocument(element('oembed', {}, ...elements)), type: 'text/xml; charset=utf-8' }
  }
  throw new Problem({
    status: 501,
    slug: 'unknown-format',
    detail: 'the formats of oEmbed here are json and xml',
  })
}

function fieldsOf(
  { title, by, byUrl, player, cover }: Card,
  { links, width, height }: { links: Links; width: number; height: number },
): Record<string, string | number | undefined> {
  return {
    version: '1.0',
    type: player === undefined ? 'link' : 'rich',
    title,
    author_name: by,
    author_url: byUrl,
    provider_name: 'Hexachord',
    provider_url: links.home,
    cache_age: cacheSeconds,
    ...(cover && { thumbnail_url: cover.url, thumbnail_width: cover.width, thumbnail_height: cover.height }),
    ...(player === undefined ? {} : { html: frame({ player, title, width, height }), width, height }),
  }
}

function frame({
  player,
  title,
  width,
  height,
}: {
  player: string
  title: string
  width: number
  height: number
}) {
  const attributes = { src: player, title, width, height, frameborder: 0, loading: 'lazy' }
  return htmlElement(element('iframe', attributes))
}
