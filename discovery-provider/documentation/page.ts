import type { OpenApiDocument, Operation } from '../reading/openapi.ts'
import { type Child, element, htmlDocument } from '../syndication/markup.ts'
import { type JsonSchema, limitsText, propertyTable, schemaAnchor, typeText } from './schema.ts'

export const style = `
:root{color-scheme:light dark;--line:light-dark(#d8dce2,#343a44);--soft:light-dark(#f4f6f8,#1c2027);--link:light-dark(#0a58ca,#7db3ff);--quiet:light-dark(#5b6470,#9aa4b1)}
*{box-sizing:border-box}
body{margin:0;font:1rem/1.5 system-ui,sans-serif;background:light-dark(#fff,#14171c);color:light-dark(#1d2126,#e4e8ee);display:grid;grid-template-columns:19rem minmax(0,1fr)}
a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}
nav{position:sticky;top:0;height:100vh;overflow-y:auto;padding:1rem;border-right:1px solid var(--line);background:var(--soft);font-size:.85rem}
nav h2{font-size:.8rem;margin:1.2rem 0 .2rem;text-transform:uppercase;letter-spacing:.05em;color:var(--quiet)}
nav ul{list-style:none;margin:0;padding:0}nav li{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
main{padding:1.5rem 2rem;max-width:62rem}
h1{margin:.2rem 0}main>h2{margin:3rem 0 0;padding-bottom:.3rem;border-bottom:2px solid var(--line);text-transform:capitalize}
section{padding:1.2rem 0;border-bottom:1px solid var(--line)}
h3{margin:0;font:600 1rem/1.5 ui-monospace,monospace;overflow-wrap:anywhere}
h4{margin:1rem 0 .2rem;font-size:.85rem;color:var(--quiet)}
p{margin:.3rem 0}small{display:block;color:var(--quiet);overflow-wrap:anywhere}
b{font:700 .75rem/1 ui-monospace,monospace;padding:.2rem .45rem;margin-right:.5rem;border-radius:.3rem;color:#fff;background:#1a7f4b}
b.post{background:#0a58ca}b.delete{background:#b3261e}
pre{margin:.5rem 0;padding:.7rem .9rem;overflow-x:auto;background:var(--soft);border:1px solid var(--line);border-radius:.4rem}
code{font:.85rem/1.5 ui-monospace,monospace}
table{border-collapse:collapse;width:100%;font-size:.9rem}
td{padding:.3rem .6rem .3rem 0;vertical-align:top;border-top:1px solid var(--line);overflow-wrap:anywhere}td:first-child{width:13rem}
summary{cursor:pointer}
@media (max-width:52rem){body{display:block}nav{position:static;height:auto;max-height:40vh;border:0}main{padding:1rem}}
`

type Shown = { readonly path: string; readonly method: string; readonly operation: Operation }

/** A page that tells of every operation and schema of an OpenAPI document, by itself. */
export function documentationPage(document: OpenApiDocument): string {
  const groups = groupsOf(document)
  const { info, servers, components } = document
  return htmlDocument(
    element(
      'html',
      { lang: 'en' },
      element(
        'head',
        {},
        element('meta', { charset: 'utf-8' }),
        element('meta', { name: 'viewport', content: 'width=device-width' }),
        element('title', {}, `${info.title}: API`),
        element('style', {}, { data: style }),
      ),
      element(
        'body',
        {},
        element(
          'nav',
          {},
          ...groups.flatMap(([tag, shown]) => groupLinks(tag, shown)),
          ...schemaLinks(document),
        ),
        element(
          'main',
          {},
          element('h1', {}, info.title),
          element(
            'p',
            {},
            `Version ${info.version} at `,
            element('code', {}, servers[0]?.url ?? ''),
            ' · ',
            element('a', { href: '/openapi.json' }, 'OpenAPI 3.1'),
          ),
          element('p', {}, ...marked(info.description)),
          ...groups.flatMap(([tag, shown]) => [element('h2', {}, tag), ...shown.map(operationPart)]),
          element('h2', {}, 'Schemas'),
          ...Object.entries(components.schemas).map(([name, schema]) => schemaPart(name, schema)),
        ),
      ),
    ),
  )
}

/** What stands between backticks is code. */
function marked(text: string): Child[] {
  return text.split('`').map((part, place) => (place % 2 === 0 ? part : element('code', {}, part)))
}

/** Operations by their tags, in the order of the document. */
function groupsOf({ paths }: OpenApiDocument): [tag: string, shown: Shown[]][] {
  const groups = new Map<string, Shown[]>()
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags[0] ?? 'other'
      groups.set(tag, [...(groups.get(tag) ?? []), { path, method, operation }])
    }
  }
  return [...groups]
}

function anchorOf({ method, path }: Shown): string {
  return `${method}${path.replaceAll(/[^a-zA-Z0-9.]+/g, '-')}`
}

function groupLinks(tag: string, shown: readonly Shown[]): Child[] {
  const links = shown.map((one) =>
    element(
      'li',
      {},
      element(
        'a',
        { href: `#${anchorOf(one)}`, title: one.operation.summary },
        `${one.method === 'get' ? '' : `${one.method.toUpperCase()} `}${one.path}`,
      ),
    ),
  )
  return [element('h2', {}, tag), element('ul', {}, ...links)]
}

function schemaLinks({ components }: OpenApiDocument): Child[] {
  const links = Object.keys(components.schemas).map((name) =>
    element('li', {}, element('a', { href: `#${schemaAnchor(name)}` }, name)),
  )
  return [element('h2', {}, 'Schemas'), element('ul', {}, ...links)]
}

function operationPart(shown: Shown): Child {
  const { method, path, operation } = shown
  const { summary, security, parameters, responses } = operation
  const source = operation['x-codeSamples']?.[0]?.source
  return element(
    'section',
    { id: anchorOf(shown) },
    element('h3', {}, element('b', { class: method }, method.toUpperCase()), path),
    element('p', {}, ...marked(summary)),
    security === undefined
      ? undefined
      : element('p', {}, `Signed: ${Object.keys(security[0] ?? {}).join()} in Authorization.`),
    source === undefined ? undefined : element('pre', {}, element('code', {}, source)),
    ...(parameters.length === 0 ? [] : [element('h4', {}, 'Parameters'), parameterTable(operation)]),
    element('h4', {}, 'Answers'),
    element(
      'table',
      {},
      ...Object.entries(responses).map(([status, response]) => answerRow(status, response)),
    ),
  )
}

function parameterTable({ parameters }: Operation): Child {
  const rows = parameters.map(({ name, in: place, required, schema }) =>
    element(
      'tr',
      {},
      element(
        'td',
        {},
        element('code', {}, name),
        element('small', {}, `${place}${required ? ', needed' : ''}`),
      ),
      element('td', {}, ...typeText(schema as JsonSchema), limitsText(schema as JsonSchema)),
    ),
  )
  return element('table', {}, ...rows)
}

function answerRow(status: string, { description, content = {} }: Operation['responses'][string]): Child {
  const bodies = Object.entries(content).map(([type, { schema }]) =>
    element('small', {}, `${type}: `, ...typeText(schema as JsonSchema)),
  )
  return element(
    'tr',
    {},
    element('td', {}, element('code', {}, status)),
    element('td', {}, ...marked(description), ...bodies),
  )
}

function schemaPart(name: string, schema: JsonSchema): Child {
  const body = schema.properties === undefined ? element('p', {}, ...typeText(schema)) : propertyTable(schema)
  return element('section', { id: schemaAnchor(name) }, element('h3', {}, name), body)
}
