import { chmod, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { openLogFile } from '../../local-network/log-file.ts'
import { startOwnedProcess } from '../../local-network/owned-process.ts'
import { untilReady } from '../../local-network/until-ready.ts'
import { freePort } from '../../testing/free-port.ts'
import type { Server } from './content-service.ts'

const readyWithinMs = 10_000

/** Serves a folder as fast as nginx can: one worker, sendfile, open files kept, no log. */
export async function startNginx(options: {
  /** Of the files. */
  root: string
  /** For its own. */
  folder: string
  /** A path that it answers once it is ready. */
  probe: string
  signal: AbortSignal
}): Promise<Server> {
  const { root, folder, probe, signal } = options
  await mkdir(folder, { recursive: true })
  const port = await freePort()
  const configuration = path.join(folder, 'nginx.conf')
  await writeFile(configuration, configurationOf({ root, folder, port }))
  // As root its worker takes an account of its own.
  await chmod(folder, 0o755)
  const log = openLogFile(path.join(folder, 'nginx.log'))
  const child = await startOwnedProcess({
    command: 'nginx',
    args: ['-c', configuration, '-e', path.join(folder, 'error.log')],
    cwd: folder,
    log,
    stopSignal: 'SIGTERM',
  })
  const origin = `http://127.0.0.1:${port}`
  const isReady = async (probing: AbortSignal) => (await fetch(origin + probe, { signal: probing })).ok
  await untilReady({ name: 'nginx', child, log, isReady, deadlineMs: readyWithinMs, signal })
  return {
    origin,
    pid: child.pid,
    async close() {
      await child.stop()
    },
  }
}

/** Without a master process, so that the one process there is has all the time that it takes. */
function configurationOf({ root, folder, port }: { root: string; folder: string; port: number }): string {
  return `daemon off;
master_process off;
worker_processes 1;
pid ${folder}/nginx.pid;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  open_file_cache max=1000 inactive=600s;
  open_file_cache_valid 600s;
  default_type application/octet-stream;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    listen 127.0.0.1:${port};
    root ${root};
  }
}
`
}
