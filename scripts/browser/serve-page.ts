import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { build } from 'esbuild'

export type ServedPage = { readonly origin: string; close(): Promise<void> }

/** The page that runs one script, `app.js`. */
export const pageOfScript = '<!doctype html><script src="app.js"></script>'

/** Serves a page of one script from loopback, which browsers take for a safe origin.
 * @param entry TypeScript for the browser, with all that it imports */
export async function servePage(entry: string): Promise<ServedPage> {
  const script = await bundleScript(entry)
  const server = createServer((request, response) => {
    if (request.url === '/app.js') response.setHeader('content-type', 'text/javascript').end(script)
    else response.setHeader('content-type', 'text/html').end(pageOfScript)
  })
  const listening = Promise.withResolvers<void>()
  server.once('error', listening.reject).listen(0, '127.0.0.1', listening.resolve)
  await listening.promise
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

/** Makes one script for browsers of a file and all that it imports. */
export async function bundleScript(entry: string): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    write: false,
    logLevel: 'error',
  })
  const [file] = outputFiles
  if (file === undefined) throw new Error('esbuild wrote no file')
  return file.contents
}
