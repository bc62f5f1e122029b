const OBEYED = /^(?:COMPOSE_|DOCKER_|BUILDKIT_|BUILDX_|GIT_|SSH_|LD_|DYLD_|NODE_OPTIONS$|PATH$|HOME$|XDG_|CONTAINERS_)/;

/** Whether compose itself, what it starts, or the engine's client does something else when a file sets this variable. */
export function isObeyed(name: string): boolean {
  return OBEYED.test(name);
}
