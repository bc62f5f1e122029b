import type {
  CommandExit,
  CommandProcess,
  CommandSpec,
  ContainerStats,
  FileStat,
  FoundLine,
  FoundMore,
  ListeningPort,
  TerminalSize,
} from '../agentcontainers/ports.ts';
import type { BashResult, PortForward } from '../agentcontainers/api.ts';
import type {
  StartBody,
  WireBash,
  WireExecLine,
  WireExit,
  WireFileStat,
  WireForward,
  WireFoundLine,
  WirePorts,
  WireProcess,
  WireStats,
} from './runtime-wire-schemas.ts';

// Domain to wire and back. Every field is named, so that nothing new in the domain gets out unseen.

export function toCommandSpec(body: StartBody): CommandSpec {
  return {
    argv: body.argv,
    command: body.command,
    cwd: body.cwd,
    env: body.env,
    user: body.user,
    tty: body.tty,
    merged: body.merged,
    stdin: body.stdin,
    timeoutMs: body.timeout_ms,
    graceMs: body.grace_ms,
    key: body.key,
    overflow: body.overflow,
    ringBytes: body.ring_bytes,
  };
}

export function toWireExit(exit: CommandExit): WireExit {
  return {
    code: exit.code,
    signal: exit.signal,
    reason: exit.reason,
    survivors: [...exit.survivors],
    background_held: exit.backgroundHeld,
    via: exit.via,
  };
}

/** The last line of a streamed command. */
export function toExitLine(exit: CommandExit): Extract<WireExecLine, { type: 'exit' }> {
  return {
    type: 'exit',
    code: exit.code,
    signal: exit.signal,
    reason: exit.reason,
    via: exit.via,
    ...(exit.survivors.length > 0 && { survivors: [...exit.survivors] }),
    ...(exit.backgroundHeld && { background_held: true as const }),
  };
}

export function toWireProcess(process: CommandProcess): WireProcess {
  return {
    id: process.id,
    pid: process.pid,
    argv: [...process.argv],
    command: process.command,
    cwd: process.cwd,
    user: process.user,
    tty: process.tty && toWireSize(process.tty),
    merged: process.merged,
    kind: process.kind,
    key: process.key,
    started_at: process.startedAt,
    running: process.running,
    output: {
      start: process.output.start,
      end: process.output.end,
      stalled: process.output.isStalled === true ? true : undefined,
    },
    stdin: process.stdin && { written: process.stdin.written, open: process.stdin.isOpen },
    exit: process.exit && toWireExit(process.exit),
    via: process.via,
  };
}

function toWireSize({ width, height }: TerminalSize): { width: number; height: number } {
  return { width, height };
}

export function toWireBash(result: BashResult): WireBash {
  const { truncated } = result;
  return {
    output: result.output,
    exit_code: result.exitCode,
    process_id: result.processId,
    truncated: truncated && { total_bytes: truncated.totalBytes, omitted_bytes: truncated.omittedBytes },
    via: result.via,
  };
}

export function toWireFileStat(stat: FileStat): WireFileStat {
  return {
    path: stat.path,
    type: stat.type,
    size: stat.size,
    mode: stat.mode,
    modified_at: stat.modifiedAt,
    uid: stat.uid,
    gid: stat.gid,
    target: stat.target,
  };
}

export function toWireFoundLine(found: FoundLine | FoundMore): WireFoundLine {
  if ('truncated' in found) return { truncated: true };
  return { path: found.path, line: found.line, column: found.column, text: found.text };
}

export function toWirePorts(ports: readonly ListeningPort[]): WirePorts {
  return {
    ports: ports.map((one) => ({
      port: one.port,
      address: one.address,
      family: one.family,
      pid: one.pid,
      name: one.name,
      process: one.process,
    })),
  };
}

export function toWireStats({ memory, cpu, pids, residentBytes }: ContainerStats): WireStats {
  return {
    memory: { current: memory.current, max: memory.max, oom_kills: memory.oomKills },
    cpu: { usage_usec: cpu.usageUsec },
    pids: { current: pids.current, max: pids.max },
    resident_bytes: residentBytes,
  };
}

export function toWireForward(forward: PortForward): WireForward {
  return {
    id: forward.id,
    host: forward.host,
    port: forward.port,
    host_port: forward.hostPort,
    status: forward.status,
    error: forward.error,
  };
}

/** The bytes of a text of a request or an answer. */
export function toBytes(text: string, encoding?: 'utf-8' | 'base64'): Buffer {
  return Buffer.from(text, encoding === 'base64' ? 'base64' : 'utf8');
}
