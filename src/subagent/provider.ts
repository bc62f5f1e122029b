// The providers, under one name for those who embed us.
export { fileSubAgentProvider } from './file-provider.ts';
export { loadSubAgentProvider } from './load-provider.ts';
export { residentSubAgentProvider } from './resident/resident-provider.ts';
export { shellSubAgentProvider } from './shell-provider.ts';
