#!/usr/bin/env node
import { normalizeEnvironment } from './environment.ts';
import { onBrokenOutput } from './output/broken-output.ts';
import { runProgram } from './program.ts';

onBrokenOutput('end');
normalizeEnvironment(process.env);
process.exitCode = await runProgram(process.argv.slice(2));
