import { stat } from 'node:fs/promises'
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect'
import type { MessageInitShape } from '@bufbuild/protobuf'
import {
  Signal,
  type Process,
  type EventSchema,
  type Input,
  type Pty,
  type Selector,
} from '../../gen/process_pb.js'
import type { Account } from '../account.ts'
import { accountOf, environmentOf, resolvePath } from '../context.ts'
import type { EnvdConfig } from '../config.ts'
import { idle } from '../event-queue.ts'
import { keepAliveInterval } from '../keep-alive.ts'
import type { ManagedProcess, ProcessEvent, ProcessSpec } from '../managed-process.ts'
import type { ProcessTable } from '../process-table.ts'
import type { PtySize } from '../pty.ts'

type Event = MessageInitShape<typeof EventSchema>

/** E2B's process service. */
export function processService(
  config: EnvdConfig,
  environment: Record<string, string>,
  table: ProcessTable,
): ServiceImpl<typeof Process> {
  return {
    list: () => ({
      processes: table.running().map(({ pid, spec }) => ({
        pid,
        tag: spec.tag,
        config: { cmd: spec.cmd, args: spec.args, envs: spec.envs, cwd: spec.cwd },
      })),
    }),

    async *start(request, context) {
      const account = await accountOf(config, context.requestHeader)
      if (!request.process?.cmd)
        throw new ConnectError('process.cmd: is empty; name a program', Code.InvalidArgument)
      const { cmd, args, envs, cwd } = request.process
      const spec: ProcessSpec = {
        cmd,
        args,
        envs,
        env: { ...environmentOf(account, environment, config), ...envs },
        ids: account.ids,
        cwd: await directory(config, account, cwd ?? ''),
        tag: request.tag,
        stdin: request.stdin ?? true,
        pty: request.pty && terminalSize(request.pty),
        timeoutMs: positive(context.timeoutMs()),
      }
      const process = await table.start(spec).catch((error: Error) => {
        throw new ConnectError(`error starting process '${cmd}': ${error.message}`, Code.InvalidArgument)
      })
      for await (const event of follow(process, context, true)) yield { event }
    },

    async *connect(request, context) {
      const process = table.find(select(request.process), { ended: true })
      for await (const event of follow(process, context, false)) yield { event }
    },

    sendInput: async ({ process, input }) => {
      await write(table.find(select(process)), input)
      return {}
    },

    streamInput: async (requests) => {
      let process: ManagedProcess | undefined
      for await (const { event } of requests) {
        if (event.case === 'start') process = table.find(select(event.value.process))
        if (event.case !== 'data') continue
        if (!process) throw new ConnectError('the first message must be start', Code.InvalidArgument)
        await write(process, event.value.input)
      }
      return {}
    },

    sendSignal: async ({ process, signal }) => {
      const target = table.find(select(process))
      if (signal === Signal.SIGKILL) await target.signal('SIGKILL')
      else if (signal === Signal.SIGTERM) await target.signal('SIGTERM')
      else throw new ConnectError(`invalid signal: ${signal}`, Code.Unimplemented)
      return {}
    },

    update: ({ process, pty }) => {
      const target = table.find(select(process))
      if (pty && !target.resize(terminalSize(pty)))
        throw new ConnectError('tty not assigned to process', Code.FailedPrecondition)
      return {}
    },

    closeStdin: ({ process }) => {
      const target = table.find(select(process))
      if (target.spec.pty)
        throw new ConnectError('stdin of a PTY can not be closed; send Ctrl+D', Code.FailedPrecondition)
      target.closeStdin()
      return {}
    },
  }
}

/** A stream of one process. Only `Start`'s deadline is the life of the process, so there it is the process's to tell. */
async function* follow(
  process: ManagedProcess,
  context: HandlerContext,
  owns: boolean,
): AsyncGenerator<Event> {
  const gone = new AbortController()
  const onAbort = () => {
    const deadline =
      context.signal.reason instanceof ConnectError && context.signal.reason.code === Code.DeadlineExceeded
    if (!deadline || !owns) gone.abort(context.signal.reason)
  }
  context.signal.addEventListener('abort', onAbort)
  const keepAliveMs = keepAliveInterval(context)
  const queue = process.subscribe()
  try {
    for (;;) {
      const event = await queue.next(keepAliveMs, gone.signal)
      if (event === undefined) throw gone.signal.reason
      if (event === idle) yield { event: { case: 'keepalive', value: {} } }
      else yield toMessage(event)
      if (event !== idle && event.kind === 'end') return
    }
  } finally {
    process.unsubscribe(queue)
    context.signal.removeEventListener('abort', onAbort)
  }
}

function toMessage(event: ProcessEvent): Event {
  switch (event.kind) {
    case 'start':
      return { event: { case: 'start', value: { pid: event.pid } } }
    case 'data':
      return { event: { case: 'data', value: { output: { case: event.output, value: event.bytes } } } }
    case 'end':
      return { event: { case: 'end', value: event.end } }
    case 'expired':
      throw new ConnectError('the process ran into its timeout and was killed', Code.DeadlineExceeded)
  }
}

async function write(process: ManagedProcess, input: Input | undefined): Promise<void> {
  const wanted = process.spec.pty ? 'pty' : 'stdin'
  if (!input?.input.case) throw new ConnectError(`input: is missing; give ${wanted}`, Code.InvalidArgument)
  if (input.input.case !== wanted)
    throw new ConnectError(
      `input: the process has ${wanted === 'pty' ? 'a' : 'no'} PTY; send ${wanted}`,
      Code.FailedPrecondition,
    )
  await process.write(input.input.value).catch((error: Error) => {
    throw new ConnectError(`error writing to ${input.input.case}: ${error.message}`, Code.Internal)
  })
}

function terminalSize({ size }: Pty): PtySize {
  const { cols, rows } = size ?? { cols: 0, rows: 0 }
  // 0 is what clients on a terminal without a size send.
  if (cols <= 0xffff && rows <= 0xffff) return { cols, rows }
  throw new ConnectError(`pty.size: is ${cols}x${rows}; give at most 65535 each`, Code.InvalidArgument)
}

function select(selector: Selector | undefined): Selector['selector'] {
  if (!selector?.selector.case)
    throw new ConnectError('process: is missing; give pid or tag', Code.InvalidArgument)
  return selector.selector
}

async function directory(config: EnvdConfig, account: Account, cwd: string): Promise<string> {
  const path = resolvePath(config, account, cwd)
  const found = await stat(path).catch(() => undefined)
  if (!found?.isDirectory())
    throw new ConnectError(
      `cwd '${path}' ${found ? 'is not a directory' : 'does not exist'}`,
      Code.InvalidArgument,
    )
  return path
}

const positive = (value: number | undefined) => (value !== undefined && value > 0 ? value : undefined)
