import type { Fields } from './answer.ts'
import type { Parameters } from './parameters.ts'
import { xmlDocument } from './xml.ts'

/** The version of the Subsonic API that is spoken, the last that there was. */
export const protocolVersion = '1.16.1'

export type Format =
  | { readonly name: 'xml' }
  | { readonly name: 'json' }
  | { readonly name: 'jsonp'; readonly callback: string }

export type Rendered = { readonly type: string; readonly body: string }

/** In which form an answer is wanted: by `f`, XML without it, and XML also where `f` makes no sense, since a complaint
 * about that has to have some form. */
export function formatOf(parameters: Parameters): Format {
  const wanted = parameters.text('f')
  if (wanted === 'json') return { name: 'json' }
  const callback = parameters.text('callback')
  // Only a name: whatever else stood there would be run by whoever includes the answer as a script.
  if (wanted === 'jsonp' && callback !== undefined && /^[A-Za-z_$][\w$.]{0,99}$/.test(callback)) {
    return { name: 'jsonp', callback }
  }
  return { name: 'xml' }
}

/** @param fields what stands in the answer beside the version of protocol and server */
export function render(
  { format, serverVersion }: { format: Format; serverVersion: string },
  status: 'ok' | 'failed',
  fields: Fields,
): Rendered {
  const answer = {
    status,
    version: protocolVersion,
    type: 'hexachord',
    serverVersion,
    openSubsonic: true,
    ...fields,
  }
  if (format.name === 'xml') {
    const body = xmlDocument('subsonic-response', { xmlns: 'http://subsonic.org/restapi', ...answer })
    return { type: 'application/xml; charset=utf-8', body }
  }
  const json = JSON.stringify({ 'subsonic-response': answer })
  // The comment keeps the callback's name from being the first bytes of some other format.
  if (format.name === 'jsonp') {
    return { type: 'application/javascript; charset=utf-8', body: `/**/${format.callback}(${json});` }
  }
  return { type: 'application/json; charset=utf-8', body: json }
}
