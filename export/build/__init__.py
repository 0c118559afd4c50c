"""Building datasets: the job, writing the plan to a folder or ZIP, masks, upscaling."""
