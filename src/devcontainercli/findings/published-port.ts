/** An address of the loopback network, a port of the host or none, and a port of the container. */
const LOOPBACK =
  /^(?:127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\]):(?:\d{1,5}(?:-\d{1,5})?)?:\d{1,5}(?:-\d{1,5})?(?:\/(?:tcp|udp|sctp))?$/;

/** A port as `docker run --publish` takes it that nobody but this machine reaches. */
export function isLoopbackPort(text: string): boolean {
  return LOOPBACK.test(text);
}
