"""Images by the thousand in each file: tar files, and Parquet files with image bytes."""
