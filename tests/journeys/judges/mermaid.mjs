// Mermaid's own parser reads a diagram from standard input, and says who it saw talk to whom.

import { readFileSync } from 'node:fs';
import mermaid from '../../../conformance/node_modules/mermaid/dist/mermaid.core.mjs';

const text = readFileSync(0, 'utf8');
const { diagramType } = await mermaid.parse(text);
const { db } = await mermaid.mermaidAPI.getDiagramFromText(text);
const said = db.getMessages().map(({ from, to, message }) => [from, to, message]);
console.log(JSON.stringify({ diagramType, lanes: [...db.getActors().keys()], said }));
