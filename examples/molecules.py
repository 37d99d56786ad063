"""Molecules: SMILES made more like a drug; RDKit measures, and rejects what is no molecule.

pip install 'refiner[molecules]'. QED, logP and synthetic accessibility (1 is easy, 10 hard) are numeric losses.
"""

import asyncio

from rdkit import Chem, RDLogger
from rdkit.Chem import QED, Crippen
from rdkit.Contrib.SA_Score import sascorer

import refiner

RDLogger.DisableLog("rdApp.*")


def qed(smiles: str) -> float:
    return float(QED.qed(Chem.MolFromSmiles(smiles)))


def off_logp(smiles: str) -> float:
    return abs(float(Crippen.MolLogP(Chem.MolFromSmiles(smiles))) - 2.5)


def hardness(smiles: str) -> float:
    return float(sascorer.calculateScore(Chem.MolFromSmiles(smiles)))


LOSSES = (
    refiner.NumericLoss(qed, "quantitative estimate of drug-likeness, from 0 to 1"),
    refiner.NumericLoss(off_logp, "distance of the octanol-water partition coefficient logP from 2.5", maximise=False),
    refiner.NumericLoss(hardness, "synthetic accessibility score, from 1 to 10", maximise=False),
)
VALID = refiner.Constraint(
    "one valid SMILES string and nothing else", lambda text: Chem.MolFromSmiles(text) is not None
)


async def main() -> None:
    async with refiner.engine(max_output_tokens=200) as engine:
        molecule = refiner.Variable("CCCCCCCCCCCCc1ccc(cc1)N(=O)=O", "molecule as a SMILES string")

        async def loss(_: int = 0) -> refiner.Variable:
            return refiner.total([each(molecule) for each in LOSSES])

        async def overall() -> float:
            # QED counts for ten of the others' units.
            return 10 * qed(molecule.value) - off_logp(molecule.value) - hardness(molecule.value)

        print((await loss()).value)
        optimizer = refiner.TextualGradientDescent([molecule], engine, constraints=[VALID], validation=overall)
        descent = await refiner.descend(optimizer, loss, until="iterations:3")
        for (update,) in descent.updates:
            print(f"{update.new}: {update.reason or update.problem or 'accepted'}")
        print(f"{molecule.value}\n{(await loss()).value}")


asyncio.run(main())
