#!/bin/bash
#SBATCH --job-name=diffbio
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00

# One process for each GPU. jax.distributed.initialize() reads the rest from Slurm's variables.
# A process that fails ends the step; the same command goes on from the checkpoint.
srun --kill-on-bad-exit=1 python examples/cluster/train.py --checkpoint "$SLURM_SUBMIT_DIR/checkpoint"
